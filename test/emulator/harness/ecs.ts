import { cpSync, mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runWorkerProcess } from '../../../layers/local/worker-process.ts'
import type { Emulator } from './ministack.ts'

const MODULES = join(dirname(fileURLToPath(import.meta.url)), '../../../node_modules')

type TaskDefinition = {
  taskDefinition: { containerDefinitions: { name: string; command: string[]; environment: { name: string; value: string }[] }[] }
}

/**
 * ECS without a container engine: the image's file tree in a folder, and each task as the process its definition describes, with the definition's
 * environment and the override's. The task is also run in the emulator, so that its life is on record there, and stopped when the process ends.
 */
export function ecs(emulator: Emulator, staging: string, folder: string) {
  const tree = join(folder, 'worker')
  mkdirSync(tree, { recursive: true })
  cpSync(join(staging, 'worker'), tree, { recursive: true })
  symlinkSync(MODULES, join(tree, 'node_modules'))
  const call = async <T>(action: string, body: unknown): Promise<T> => {
    const response = await fetch(emulator.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': `AmazonEC2ContainerServiceV20141113.${action}`,
        authorization: 'AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/ecs/aws4_request, SignedHeaders=host, Signature=0',
      },
      body: JSON.stringify(body),
    })
    const answer = (await response.json()) as T
    if (!response.ok) throw new Error(`${action}: ${JSON.stringify(answer)}`)
    return answer
  }
  const ran: string[] = []
  return {
    /** Names of the workers that ran, in order. */
    ran,
    async run(taskDefinition: string, environment: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
      const described = await call<TaskDefinition>('DescribeTaskDefinition', { taskDefinition })
      const [container] = described.taskDefinition.containerDefinitions
      const [entry] = container!.command
      ran.push(entry!.replace('.mjs', ''))
      await runWorkerProcess({
        entry: join(tree, entry!),
        env: {
          ...Object.fromEntries(container!.environment.map(({ name, value }) => [name, value])),
          ...environment,
          ...emulator.env,
          NODE_ENV: 'production',
          PATH: process.env.PATH ?? '',
          HOME: folder,
          TMPDIR: folder,
        },
        signal,
      })
    },
  }
}
