/**
 * Loaded into every worker process before its entry file (`--import`). The parent holds the other end of stdin; when the parent is gone, however
 * it went, the pipe closes, and the worker ends at once rather than go on writing to a target that nobody watches.
 */
import process from 'node:process'

function end(): void {
  process.kill(process.pid, 'SIGKILL')
}

process.stdin.on('end', end)
process.stdin.on('error', end)
process.stdin.on('close', end)
process.stdin.resume()
// Does not keep a worker alive that is done.
if ('unref' in process.stdin) process.stdin.unref()
