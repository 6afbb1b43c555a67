import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import type { Emulator } from './ministack.ts'

/** Calls deployed functions as Step Functions does. An error has the name the function threw, which the emulator replaces and `lambda-hook.mjs` keeps. */
export function lambda(emulator: Emulator): (name: string, payload: unknown) => Promise<unknown> {
  const client = new LambdaClient({ endpoint: emulator.url })
  return async (name, payload) => {
    const answer = await client.send(new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(payload) }))
    const returned: unknown = JSON.parse(Buffer.from(answer.Payload ?? 'null').toString())
    if (answer.FunctionError === undefined) return returned
    const message = String((returned as { errorMessage?: unknown }).errorMessage)
    const [, errorName = 'Lambda.Unknown', text = message] = /^named (\S+) ([\s\S]*)$/.exec(message) ?? []
    const error = new Error(text)
    error.name = errorName
    throw error
  }
}
