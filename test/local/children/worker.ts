/** A worker to test with: does what WAYBILL_TASK says. */
import { appendFileSync } from 'node:fs'

const { act, file = '' } = JSON.parse(process.env.WAYBILL_TASK ?? '{}')
process.stdout.write(`${JSON.stringify({ env: Object.keys(process.env).sort() })}\n`)
process.stdout.write('not json\n')
if (act === 'fail') {
  process.stderr.write('something on the way\n{"error":"CHUNK_INCOMPLETE","cause":"3 of 4 rows"}\n')
  process.exitCode = 1
} else if (act === 'strange') {
  process.stderr.write('{"error":"Weird","cause":"who knows"}\n')
  process.exitCode = 1
} else if (act === 'silent') process.exitCode = 3
else if (act === 'die') process.kill(process.pid, 'SIGKILL')
else if (act === 'last words without line break') {
  process.stderr.write('{"error":"CHUNK_INCOMPLETE","cause":"cut"}')
  process.exitCode = 1
} else if (act === 'stubborn' || act === 'write on') {
  if (act === 'stubborn') process.on('SIGTERM', () => appendFileSync(file, 'term\n'))
  process.stdout.write(`${JSON.stringify({ pid: process.pid })}\n`)
  setInterval(() => appendFileSync(file, 'on\n'), 20)
}
