import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { artifactOf, getJson, putJson } from '../../layers/core/artifacts.ts'
import { sha256 } from '../../layers/core/digest.ts'
import type { ArtifactStore } from '../../layers/core/ports.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'

const until = new Date('2026-03-03T00:00:00.000Z')
const shape = z.strictObject({ b: z.string(), a: z.int() })

/** Just enough of a store to see what was put and to hand out bytes. */
function storeOf(bytes?: Uint8Array) {
  const put: { key: string; text: string; contentType: string; retainUntil: Date }[] = []
  const store = {
    put: async (key, given, options) => {
      put.push({ key, text: Buffer.from(given).toString(), ...options })
      return { uri: key, version_id: '1', sha256: sha256(given) }
    },
    get: async () => bytes ?? new Uint8Array(),
  } as Pick<ArtifactStore, 'put' | 'get'> as ArtifactStore
  return { store, put }
}
const pointer: ArtifactPointer = { uri: 'projects/p/plan/1.json', version_id: '1', sha256: sha256('x') }

describe('artifacts', () => {
  test('are written as canonical JSON, under retention', async () => {
    const { store, put } = storeOf()
    expect(await putJson(store, 'projects/p/x/1.json', { b: 'é', a: 1 }, until)).toMatchObject({ sha256: sha256('{"a":1,"b":"é"}') })
    expect(put).toEqual([{ key: 'projects/p/x/1.json', text: '{"a":1,"b":"é"}', contentType: 'application/json', retainUntil: until }])
    await expect(putJson(store, 'k', { a: undefined }, until)).rejects.toMatchObject({ code: 'BAD_INPUT' })
  })

  test('are read strictly', async () => {
    const read = (text: string) => getJson(storeOf(Buffer.from(text)).store, pointer, shape)
    expect(await read('{"a":1,"b":"x"}')).toEqual({ a: 1, b: 'x' })
    for (const bad of ['{"a":1,"a":1,"b":"x"}', '{"a":1}', '{"a":1,"b":"x","c":0}', '{"a":9007199254740993,"b":"x"}', 'null', '']) {
      await expect(read(bad), bad).rejects.toMatchObject({ code: 'EVIDENCE_INVALID' })
    }
  })

  test('are found by logical name, and by nothing inherited', () => {
    const project = { project_id: 'p', state: 'CREATED', artifacts: { spec: pointer } } as unknown as ProjectRecord
    expect(artifactOf(project, 'spec')).toEqual(pointer)
    for (const name of ['plan', 'toString', 'constructor']) {
      expect(() => artifactOf(project, name)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
    }
  })
})
