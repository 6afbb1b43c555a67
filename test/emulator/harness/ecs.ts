import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { DescribeTaskDefinitionCommand, DescribeTasksCommand, ECSClient, RunTaskCommand, StopTaskCommand } from '@aws-sdk/client-ecs'
import { runImage } from '../../infra/image/container.ts'
import { assembleImage, type Image } from '../../infra/image/image-tree.ts'
import type { Deployment, WorkerImage } from './deployment.ts'
import type { Emulator } from './ministack.ts'
import type { Span } from './people.ts'

const MODULES = join(dirname(fileURLToPath(import.meta.url)), '../../../node_modules')

/** One task: the worker it runs, its process, and StopTask. */
export type WorkerTask = { worker: string; process: ChildProcessByStdio<null, Readable, Readable>; stop(): Promise<unknown> }
/** How a task ended: an exit code or a signal. */
export type Ran = Span & { worker: string; ended: string }

/**
 * ECS without a container engine: the image's file tree in a folder, and each task as the process its definition describes, with the definition's
 * environment and the override's. `contained`: the tree is assembled by the Dockerfile, and the process has another root, read-only but for an empty /tmp, is
 * user 1000 and has no rights; only root can have it so. The task is run in the emulator too, so that it is listed, described and stopped there; what stops it there
 * stops the process as Fargate would: SIGTERM, and SIGKILL when `stopTimeout` is over.
 */
export function ecs(emulator: Emulator, { image: first, outputs }: Deployment, folder: string, contained = false) {
  const cluster = outputs.ClusterName!
  const registry = new Map<string, { tree: string; image: Image | null }>()
  const push = ({ digest, staged }: WorkerImage) => {
    const tree = join(folder, `image-${digest.slice(-12)}`)
    mkdirSync(tree)
    if (contained) mkdirSync(`${tree}.ro`)
    const image = contained ? assembleImage(tree, staged) : null
    if (image === null) {
      cpSync(join(staged, 'worker'), tree, { recursive: true })
      symlinkSync(MODULES, join(tree, 'node_modules'))
    }
    registry.set(digest, { tree, image })
  }
  push(first)
  const visible: string[] = []
  const client = new ECSClient({ endpoint: emulator.url })
  const ran: Ran[] = []
  const hooks = { starting: async (_worker: string, _signal: AbortSignal) => {}, started: (_task: WorkerTask) => {} }

  const run = async (taskDefinition: string, environment: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> => {
    const described = await client.send(new DescribeTaskDefinitionCommand({ taskDefinition }))
    const container = described.taskDefinition!.containerDefinitions![0]!
    const [entry] = container.command!
    const worker = entry!.replace('.mjs', '')
    const { tree, image } = registry.get(container.image!.split('@')[1]!)!
    await hooks.starting(worker, signal)
    // As in the service: an execution that was stopped meanwhile starts no task.
    signal.throwIfAborted()
    const from = Date.now()

    const overrides = { name: container.name!, environment: Object.entries(environment).map(([name, value]) => ({ name, value })) }
    const { tasks } = await client.send(
      new RunTaskCommand({ cluster, taskDefinition, launchType: 'FARGATE', overrides: { containerOverrides: [overrides] } }),
    )
    const task = tasks![0]!.taskArn!
    const stop = () => client.send(new StopTaskCommand({ cluster, task, reason: 'ended' }))

    const env = {
      ...Object.fromEntries(container.environment!.map(({ name, value }) => [name!, value!])),
      ...environment,
      ...emulator.env,
    }
    const child =
      image === null
        ? spawn(process.execPath, [join(tree, entry!)], {
            stdio: ['ignore', 'pipe', 'pipe'],
            env: { ...env, NODE_ENV: 'production', PATH: process.env.PATH ?? '', HOME: folder, TMPDIR: folder },
          })
        : runImage(image, { command: container.command!, env, visible }).child
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => emulator.note(`[${worker}] ${chunk}`))
    const ended = new Promise<string>((resolve) => child.once('close', (code, killedBy) => resolve(killedBy ?? String(code))))
    hooks.started({ worker, process: child, stop })
    let over = false
    const ending = ended.then((how) => {
      over = true
      return how
    })
    signal.addEventListener('abort', () => void stop())
    const follow = async () => {
      for (;;) {
        await Promise.race([sleep(300), ended])
        if (over) return
        const { tasks: now } = await client.send(new DescribeTasksCommand({ cluster, tasks: [task] }))
        if (now?.[0]?.lastStatus === 'STOPPED') break
      }
      child.kill('SIGTERM')
      await Promise.race([sleep((container.stopTimeout ?? 30) * 1000), ended])
      if (!over) child.kill('SIGKILL')
    }
    const [how] = await Promise.all([ending, follow()])
    ran.push({ worker, ended: how, from, to: Date.now() })
    await stop()
    if (how === '0') return
    // As much as the service tells: that the essential container exited, and with what.
    throw new Error(`Essential container in task exited (${how})`)
  }
  return {
    /** The workers that ran, in the order they ended. */
    ran,
    /** `starting` is waited for before a worker's process is there. */
    hooks,
    /** Files below /tmp that a contained worker sees as well, such as a database's CA. */
    visible,
    /** Puts an image where tasks find it by its digest. */
    push,
    run,
  }
}
