import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ApprovalStore } from '../../layers/core/ports.ts'
import type { ApprovalRequest } from '../../layers/core/schemas/governance.ts'
import { AT, approvalGroup, approvalRequest, decided, LATER, refusal, type UnderTest } from './samples.ts'

export function approvalStoreContract(name: string, make: () => Promise<UnderTest<ApprovalStore>>): void {
  describe(`approval store: ${name}`, () => {
    let it_: UnderTest<ApprovalStore>
    beforeEach(async () => {
      it_ = await make()
    })
    afterEach(() => it_.done())

    const as = (role: ApprovalRequest['role'], request: ApprovalRequest): ApprovalRequest => ({ ...request, role })
    const two = () => [approvalRequest('a1', 'g1'), as('security', approvalRequest('a2', 'g1'))]

    it('opens a group with its requests and gives both back, the token included', async () => {
      await it_.store.open(approvalGroup('g1'), two())
      expect(await it_.second.group('g1')).toEqual(approvalGroup('g1'))
      expect(await it_.second.requests('g1')).toEqual(two())
      expect(await it_.second.request('a2')).toEqual(two()[1])
      expect(await it_.second.byProject('p1')).toEqual(two())
      expect(await it_.second.byProject('p2')).toEqual([])
    })

    it('opens all or nothing, once', async () => {
      await it_.store.open(approvalGroup('g1'), two())
      expect(await refusal(it_.store.open(approvalGroup('g1'), []))).toBe('ALREADY_EXISTS')
      expect(await refusal(it_.store.open(approvalGroup('g2'), [approvalRequest('a3', 'g2'), approvalRequest('a1', 'g2')]))).toBe(
        'ALREADY_EXISTS',
      )
      expect(await refusal(it_.store.group('g2'))).toBe('NOT_FOUND')
      expect(await refusal(it_.store.request('a3'))).toBe('NOT_FOUND')
    })

    it('says what is missing', async () => {
      expect(await refusal(it_.store.request('a1'))).toBe('NOT_FOUND')
      expect(await refusal(it_.store.group('g1'))).toBe('NOT_FOUND')
      expect(await refusal(it_.store.decide(decided(approvalRequest('a1', 'g1'))))).toBe('NOT_FOUND')
      expect(await refusal(it_.store.told('g1', AT))).toBe('NOT_FOUND')
      expect(await it_.store.requests('g1')).toEqual([])
    })

    it('decides once: the first decision stands', async () => {
      await it_.store.open(approvalGroup('g1'), two())
      const both = [decided(two()[0]!, 'APPROVED'), decided(two()[0]!, 'REJECTED')]
      const outcomes = await Promise.all([refusal(it_.store.decide(both[0]!)), refusal(it_.second.decide(both[1]!))])
      expect(outcomes.toSorted()).toEqual(['CONFLICT', 'no error'])
      expect(await it_.store.request('a1')).toEqual(both[outcomes.indexOf('no error')])
      expect(await refusal(it_.store.decide(both[0]!))).toBe('CONFLICT')
    })

    it('takes from a decision the decision only: who was asked about what stays', async () => {
      await it_.store.open(approvalGroup('g1'), two())
      await it_.store.decide({ ...decided(two()[0]!), approver: 'mallory@example.org', role: 'security', subject_name: 'another plan' })
      expect(await it_.store.request('a1')).toEqual(decided(two()[0]!))
    })

    it('does not take an undecided request for a decision', async () => {
      await it_.store.open(approvalGroup('g1'), two())
      await expect(it_.store.decide(two()[0]!)).rejects.toThrow()
      expect((await it_.store.request('a1')).status).toBe('PENDING')
    })

    it('lists the groups of all projects until they are told or closed, whoever has decided in them', async () => {
      await it_.store.open(approvalGroup('g1'), two())
      await it_.store.open(approvalGroup('g2', 'p2'), [approvalRequest('b1', 'g2', 'p2')])
      await it_.store.open(approvalGroup('g3'), [])
      await it_.store.decide(decided(two()[0]!))
      await it_.store.decide(decided(approvalRequest('b1', 'g2', 'p2'), 'REJECTED'))
      const listed = (group_id: string, project_id: string) => ({ group_id, project_id, expires_at: LATER })
      expect(await it_.second.untold()).toEqual([listed('g1', 'p1'), listed('g2', 'p2'), listed('g3', 'p1')])
      await it_.store.told('g1', AT)
      await it_.store.told('g1', LATER)
      expect(await it_.second.untold()).toEqual([listed('g2', 'p2'), listed('g3', 'p1')])
      expect((await it_.second.group('g1')).told_at).toBe(AT)
      expect(await it_.second.toldAt('g1')).toBe(AT)
      expect(await it_.second.toldAt('g2')).toBeNull()
      expect(await refusal(it_.second.toldAt('g9'))).toBe('NOT_FOUND')
    })

    it('closes a group without telling it anything: it is listed no more, and whoever decides in it is still told', async () => {
      await it_.store.open(approvalGroup('g1'), two())
      await it_.store.close('g1')
      await it_.second.close('g1')
      expect(await it_.second.untold()).toEqual([])
      expect(await it_.second.group('g1')).toEqual(approvalGroup('g1'))
      await it_.store.decide(decided(two()[0]!))
      expect(await it_.second.byProject('p1')).toEqual([decided(two()[0]!), two()[1]])
      await it_.store.told('g1', AT)
      expect(await it_.second.toldAt('g1')).toBe(AT)
      expect(await refusal(it_.store.close('g9'))).toBe('NOT_FOUND')
      expect(await refusal(it_.store.group('g9'))).toBe('NOT_FOUND')
    })

    it('hands on in one write: the old request is decided and the new one is there, or neither', async () => {
      await it_.store.open(approvalGroup('g1'), two())
      const handed = { ...decided(two()[0]!), decision: 'DELEGATED' as const }
      const next = { ...approvalRequest('a3', 'g1'), approver: 'kay@example.org', delegated_by: ['grace@example.org'] }
      expect(await refusal(it_.store.decide(handed, { ...next, approval_id: 'a2' }))).not.toBe('no error')
      expect((await it_.second.request('a1')).status).toBe('PENDING')
      await it_.store.decide(handed, next)
      expect(await it_.second.request('a1')).toEqual(handed)
      expect(await it_.second.request('a3')).toEqual(next)
      expect(await refusal(it_.store.decide(handed, { ...next, approval_id: 'a4' }))).toBe('CONFLICT')
      expect(await refusal(it_.second.request('a4'))).toBe('NOT_FOUND')
    })

    it('of an approval and two hand-overs at the same moment takes one, whole, each of 20 times', async () => {
      for (let round = 0; round < 20; round++) {
        const [group, id] = [`g${round}`, `a${round}`]
        const request = approvalRequest(id, group)
        await it_.store.open(approvalGroup(group), [request])
        const handed = { ...decided(request), decision: 'DELEGATED' as const }
        const next = (name: string) => ({ ...approvalRequest(`${id}-${name}`, group), approver: `${name}@example.org` })
        const outcomes = await Promise.all([
          refusal(it_.store.decide(handed, next('kay'))),
          refusal(it_.second.decide(decided(request))),
          refusal(it_.second.decide(handed, next('lee'))),
        ])
        expect(outcomes.toSorted()).toEqual(['CONFLICT', 'CONFLICT', 'no error'])
        const winner = outcomes.indexOf('no error')
        const after = winner === 1 ? [decided(request)] : [handed, next(winner === 0 ? 'kay' : 'lee')]
        expect(await it_.store.requests(group)).toEqual(after)
      }
    })

    it('lets somebody join an open group, once, of its own project and undecided', async () => {
      await it_.store.open(approvalGroup('g1'), two())
      const joining = { ...approvalRequest('a3', 'g1'), escalated_from: 'grace@example.org' }
      await it_.store.join(joining)
      expect(await it_.second.requests('g1')).toEqual([...two(), joining])
      expect(await refusal(it_.store.join(joining))).toBe('ALREADY_EXISTS')
      expect(await refusal(it_.store.join(approvalRequest('a4', 'g9')))).toBe('NOT_FOUND')
      expect(await refusal(it_.store.join(decided(approvalRequest('a5', 'g1'))))).not.toBe('no error')
      expect(await refusal(it_.store.join(approvalRequest('a6', 'g1', 'p2')))).not.toBe('no error')
      expect((await it_.second.requests('g1')).length).toBe(3)
    })

    it('takes an approval back once, and asks again in the same write', async () => {
      await it_.store.open(approvalGroup('g1'), two())
      const again = { ...approvalRequest('a1-r', 'g1') }
      expect(await refusal(it_.store.withdraw(two()[0]!, again))).toBe('CONFLICT')
      await it_.store.decide(decided(two()[0]!))
      await it_.store.decide(decided(two()[1]!, 'REJECTED'))
      expect(await refusal(it_.store.withdraw(two()[1]!, again))).toBe('CONFLICT')
      await it_.store.withdraw({ ...two()[0]!, approver: 'mallory@example.org' }, again)
      expect(await it_.second.request('a1')).toEqual({ ...decided(two()[0]!), decision: 'WITHDRAWN' })
      expect(await it_.second.request('a1-r')).toEqual(again)
      expect(await refusal(it_.store.withdraw(two()[0]!, { ...again, approval_id: 'a1-s' }))).toBe('CONFLICT')
      expect(await refusal(it_.second.request('a1-s'))).toBe('NOT_FOUND')
    })

    it('takes one of two withdrawals at the same moment, with the seat that is asked again', async () => {
      await it_.store.open(approvalGroup('g1'), [two()[0]!])
      await it_.store.decide(decided(two()[0]!))
      const outcomes = await Promise.all([
        refusal(it_.store.withdraw(two()[0]!, approvalRequest('a1-r', 'g1'))),
        refusal(it_.second.withdraw(two()[0]!, approvalRequest('a1-s', 'g1'))),
      ])
      expect(outcomes.toSorted()).toEqual(['CONFLICT', 'no error'])
      expect(await it_.store.requests('g1')).toHaveLength(2)
    })
  })
}
