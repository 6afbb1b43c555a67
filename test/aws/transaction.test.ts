import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { transact } from '../../layers/aws/transaction.ts'

/** What the service answers to one transaction after another, over HTTP; behind the last of them every one succeeds. */
let answers: string[][]
let asked: number
let server: Server
let db: DynamoDBDocumentClient
beforeEach(async () => {
  ;[answers, asked] = [[], 0]
  server = createServer((request, response) => {
    request.resume().once('end', () => {
      asked++
      const codes = answers.shift()
      const body = { __type: 'TransactionCanceledException', CancellationReasons: codes?.map((Code) => ({ Code })) }
      response.writeHead(codes === undefined ? 200 : 400, { 'content-type': 'application/x-amz-json-1.0' })
      response.end(JSON.stringify(codes === undefined ? {} : body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const credentials = { accessKeyId: 'none', secretAccessKey: 'none' }
  db = DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint, region: 'eu-central-1', credentials }))
})
afterEach(async () => {
  db.destroy()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const CONFLICT = ['None', 'TransactionConflict']
const written = async () => {
  const pauses: number[] = []
  const pause = async (milliseconds: number) => void pauses.push(milliseconds)
  const outcome = await transact(db, [{ Delete: { TableName: 't', Key: { id: 'a' } } }], pause).then(
    () => 'written',
    ({ name }) => name,
  )
  return { outcome, asked, pauses }
}

describe('a transaction', () => {
  const LONGEST = [50, 100, 200, 400, 800, ...Array(8).fill(1000)]

  it('that meets no other is sent once', async () => {
    expect(await written()).toEqual({ outcome: 'written', asked: 1, pauses: [] })
  })

  it('that meets others is sent again after pauses that grow, thirteen times at the most and within 9.6 s', async () => {
    answers = Array(13).fill(CONFLICT)
    expect(await written()).toEqual({ outcome: 'written', asked: 14, pauses: LONGEST })
    ;[answers, asked] = [Array(20).fill(CONFLICT), 0]
    expect(await written()).toEqual({ outcome: 'TransactionCanceledException', asked: 14, pauses: LONGEST })
  })

  it('is sent again where the table had no room, and never where a condition did not hold', async () => {
    answers = [['ThrottlingError', 'None'], ['ProvisionedThroughputExceeded']]
    expect(await written()).toEqual({ outcome: 'written', asked: 3, pauses: [50, 100] })
    ;[answers, asked] = [[['ConditionalCheckFailed', 'TransactionConflict']], 0]
    expect(await written()).toEqual({ outcome: 'TransactionCanceledException', asked: 1, pauses: [] })
  })
})
