import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Image } from './image-tree.ts'

export type Ended = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }
export type Container = { child: ChildProcessByStdio<null, Readable, Readable>; ended: Promise<Ended> }

/** Whether this machine lets us mount, change root and change user. Without it a container cannot be imitated faithfully. */
export const canContain =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs none /mnt && setpriv --no-new-privs true']).status === 0

/**
 * Mounts of its own: the image read-only, the node binary that this test runs on where the base has it, an empty /tmp that is 1777 as in the image. Then
 * without root's groups, without a way to gain rights, root changed, user changed. Each step replaces the process, so that signals reach node itself.
 */
const CONTAIN = `set -e
mount --make-rprivate /
for each in $BENEATH; do mount --bind "/$each" "$ROOT_FOLDER/$each"; mount -o remount,bind,ro "$ROOT_FOLDER/$each"; done
if [ -n "$BENEATH" ]; then
  mount -t tmpfs none "$ROOT_FOLDER/usr/local/bin"
  touch "$ROOT_FOLDER/usr/local/bin/node"
  mount --bind "$NODE_BINARY" "$ROOT_FOLDER/usr/local/bin/node"
  mount -o remount,bind,ro "$ROOT_FOLDER/usr/local/bin"
fi
mount --bind "$ROOT_FOLDER" "$ROOT_FOLDER.ro" && mount -o remount,bind,ro "$ROOT_FOLDER.ro"
for each in $BENEATH; do mount --rbind "$ROOT_FOLDER/$each" "$ROOT_FOLDER.ro/$each"; done
mount --rbind /proc "$ROOT_FOLDER.ro/proc"
mount --rbind /dev "$ROOT_FOLDER.ro/dev"
mount -t tmpfs -o mode=1777 none "$ROOT_FOLDER.ro/tmp"
for each in $VISIBLE; do
  mkdir -p "$ROOT_FOLDER.ro$(dirname "$each")"
  touch "$ROOT_FOLDER.ro$each"
  mount --bind "$each" "$ROOT_FOLDER.ro$each"
  mount -o remount,bind,ro "$ROOT_FOLDER.ro$each"
done
in=$ROOT_FOLDER.ro wd=$WORK_FOLDER user=$USER_ID group=$GROUP_ID
enter=$(command -v unshare) lower=$(command -v setpriv) PATH=$IMAGE_PATH
unset ROOT_FOLDER WORK_FOLDER USER_ID GROUP_ID BENEATH VISIBLE NODE_BINARY IMAGE_PATH
exec "$lower" --clear-groups --no-new-privs "$enter" --root "$in" --wd "$wd" --setgid "$group" --setuid "$user" -- "$@"`

/** Runs a command in the image, its entry point by default, as a container engine would with `--read-only` and nothing but a /tmp. `root + '.ro'` must exist. */
export function runImage(
  { root, config, beneath }: Image,
  {
    command,
    entrypoint = config.entrypoint,
    env = {},
    visible = [],
  }: {
    command: readonly string[]
    entrypoint?: readonly string[]
    env?: Record<string, string>
    /** Files below /tmp of this machine that are there, read-only, in the container's as well. */
    visible?: readonly string[]
  },
): Container {
  const [user = '', group = user] = config.user.split(':')
  const [program = '', ...args] = [...entrypoint, ...command]
  const child = spawn('unshare', ['--mount', 'sh', '-c', CONTAIN, 'sh', program === 'node' ? '/usr/local/bin/node' : program, ...args], {
    env: {
      ...config.env,
      ...env,
      PATH: process.env.PATH ?? '',
      IMAGE_PATH: config.env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      ROOT_FOLDER: root,
      WORK_FOLDER: config.workdir,
      USER_ID: user,
      GROUP_ID: group,
      BENEATH: beneath.join(' '),
      VISIBLE: [...new Set(visible)].join(' '),
      NODE_BINARY: process.execPath,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return { child, ended }
}
