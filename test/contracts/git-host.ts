import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { GitHost } from '../../layers/core/ports.ts'
import { refusal } from './samples.ts'

/** What a test reads from the host directly, not through the port. */
export type GitHostUnderTest = {
  host: GitHost
  /** The commit a branch is at, or null. */
  commitOf(branch: string): Promise<string | null>
  /** Parents of a commit. */
  parentsOf(commit: string): Promise<string[]>
  fileAt(commit: string, path: string): Promise<string>
  /** Title and body of a pull request. */
  textOf(pullRequest: string): Promise<string>
  done(): Promise<void>
}

const change = {
  branch: 'waybill/p1-1',
  base: 'main',
  title: 'Migration p1',
  body: 'What it does, “exactly”.',
  files: [
    { path: 'models/flights.sql', content: 'select 1\n' },
    { path: 'README.md', content: '# p1\r\nwithout last line break' },
  ],
}

export function gitHostContract(name: string, make: () => Promise<GitHostUnderTest>): void {
  describe(`git host: ${name}`, () => {
    let it_: GitHostUnderTest
    beforeEach(async () => {
      it_ = await make()
    })
    afterEach(() => it_.done())

    it('publishes branch, commit and pull request', async () => {
      const published = await it_.host.publish(change)
      expect(published.branch).toBe(change.branch)
      expect(await it_.commitOf(change.branch)).toBe(published.commit)
      for (const file of change.files) expect(await it_.fileAt(published.commit, file.path)).toBe(file.content)
      const text = await it_.textOf(published.pull_request)
      expect(text).toContain(change.title)
      expect(text).toContain(change.body)
      expect(await it_.parentsOf(published.commit)).toEqual([await it_.commitOf('main')])
    })

    it('never moves the base branch', async () => {
      await it_.host.publish(change)
      const base = await it_.commitOf('main')
      expect(base).not.toBeNull()
      await it_.host.publish({ ...change, branch: 'waybill/p1-2' })
      await it_.host.publish({ ...change, files: [{ path: 'a.sql', content: 'select 2\n' }] })
      expect(await it_.commitOf('main')).toBe(base)
      expect(await refusal(it_.host.publish({ ...change, branch: 'main' }))).toBe('BAD_INPUT')
      expect(await it_.commitOf('main')).toBe(base)
      expect(Object.keys(it_.host)).toEqual(['publish'])
    })

    it('publishes the same again as the same', async () => {
      const first = await it_.host.publish(change)
      expect(await it_.host.publish(change)).toEqual(first)
    })

    it('adds a commit when the content changed, and keeps earlier files', async () => {
      const first = await it_.host.publish(change)
      const second = await it_.host.publish({ ...change, files: [{ path: 'b.sql', content: 'select 3\n' }] })
      expect(await it_.parentsOf(second.commit)).toEqual([first.commit])
      expect(await it_.fileAt(second.commit, 'models/flights.sql')).toBe('select 1\n')
      expect(await it_.fileAt(second.commit, 'b.sql')).toBe('select 3\n')
    })

    it('refuses hostile names', async () => {
      for (const path of ['../x', '/etc/passwd', '.git/config', 'a/../b', 'a//b', 'a/.git/hooks/x', '', 'a\nb', '-x/../y', 'a\\b'])
        expect(await refusal(it_.host.publish({ ...change, files: [{ path, content: '' }] }))).toBe('BAD_INPUT')
      for (const branch of ['', '-x', '--upload-pack=x', 'a..b', 'a b', 'refs/../main', 'a.lock', 'a~1', 'a\nb', '@{u}'])
        expect(await refusal(it_.host.publish({ ...change, branch }))).toBe('BAD_INPUT')
      expect(await it_.commitOf(change.branch)).toBeNull()
    })
  })
}
