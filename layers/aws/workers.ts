import { DescribeTasksCommand, type ECSClient, ListTasksCommand, StopTaskCommand, type Task } from '@aws-sdk/client-ecs'
import type { Workers } from '../core/ports.ts'
import { workerTask } from '../core/schemas/work.ts'
import { asWaybillError, sdkErrorName } from './sdk-errors.ts'

/** DescribeTasks takes so many at once. */
const AT_ONCE = 100

/**
 * Tasks of the workers' cluster, each known by what its container was told to do: every task has that, also one that somebody started by
 * hand, and it cannot differ from what the task works on, as a tag could.
 */
export function ecsWorkers({ ecs, cluster }: { ecs: ECSClient; cluster: string }): Workers {
  return {
    async running(projectId, runId) {
      const found: string[] = []
      let from: string | undefined
      do {
        const page = await ecs
          .send(
            new ListTasksCommand({
              cluster,
              desiredStatus: 'RUNNING',
              maxResults: AT_ONCE,
              ...(from === undefined ? {} : { nextToken: from }),
            }),
          )
          .catch((error) => {
            throw asWaybillError(error, 'Looking for workers')
          })
        const tasks = page.taskArns ?? []
        if (tasks.length > 0) {
          const described = await ecs.send(new DescribeTasksCommand({ cluster, tasks })).catch((error) => {
            throw asWaybillError(error, 'Looking at workers')
          })
          for (const task of described.tasks ?? []) if (worksOn(task, projectId, runId)) found.push(task.taskArn ?? '')
        }
        from = page.nextToken
      } while (from !== undefined && from !== '')
      return found
    },

    async stop(worker, reason) {
      await ecs.send(new StopTaskCommand({ cluster, task: worker, reason: reason.slice(0, 255) })).catch((error) => {
        // The service forgets a task an hour after it stopped.
        if (sdkErrorName(error) !== 'InvalidParameterException') throw asWaybillError(error, 'Stopping a worker')
      })
    },
  }
}

function worksOn(task: Task, projectId: string, runId: string): boolean {
  const told = (task.overrides?.containerOverrides ?? [])
    .flatMap(({ environment }) => environment ?? [])
    .find(({ name }) => name === 'WAYBILL_TASK')?.value
  try {
    const { project_id, run_id } = workerTask.parse(JSON.parse(told ?? ''))
    return project_id === projectId && run_id === runId
  } catch {
    return false
  }
}
