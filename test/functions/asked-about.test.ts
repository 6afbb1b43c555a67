import { describe, expect, it } from 'vitest'
import { questionTeller } from '../../cli/run/questions.ts'
import { approvalMail } from '../../layers/core/flow/approval-mail.ts'
import { artifactJson } from '../../layers/core/flow/project-artifacts.ts'
import { madeAt } from '../../layers/core/newest-comparison.ts'
import type { Mail } from '../../layers/core/ports.ts'
import { outcome } from '../../layers/core/schemas/outcome.ts'
import { approvalRequest } from '../contracts/samples.ts'
import { askedFor } from './support/asked.ts'
import { filled, post } from './support/decisions.ts'
import { linkIn } from './support/story.ts'

describe('open questions', () => {
  it('are named in mail, page and terminal by the ids that a spec answers them by', async () => {
    const asked = await askedFor((mail) => mail.subject.startsWith('Please answer'), { spec: { ask: true } })
    try {
      const mail = asked.mail('tech.lead@example.com')
      expect(mail.text).toContain('One question waits for you: lossy-item-price.')
      expect(mail.html).toContain('lossy-item-price')
      expect(await (await fetch(linkIn(mail))).text()).toContain('Id in a spec: <code>lossy-item-price</code>')
      const lines = await questionTeller(asked.on.ports)(asked.projectId)
      expect(lines).toEqual([expect.stringMatching(/^ {2}lossy-item-price: accept \| /), expect.stringMatching(/^ {4}\S/)])
      const [request] = await asked.on.ports.approvals.byProject(asked.projectId)
      expect(request).toMatchObject({ questions: { count: 1, ids: ['lossy-item-price'] } })
    } finally {
      await asked.close()
    }
  })

  it('beyond those named are counted', () => {
    const request = { ...approvalRequest('a1', 'g1'), questions: { count: 23, ids: ['key-a', 'key-b'] } }
    const { text } = approvalMail({ title: 'T', author: 'a@example.com' }, request, { kind: 'asked' }, { page: 'https://h', passkey: null })
    expect(text).toContain('23 questions wait for you: key-a, key-b and 21 more.')
  })
})

describe('a mail that asks to decide on a proof', () => {
  const cutover = (mail: Mail) => mail.subject.startsWith('May the cutover')

  it('says when the proof was made, also to whom it is handed on; one about a plan does not', async () => {
    const asked = await askedFor(cutover, { policy: { asking: { delegation: { roles: ['release_manager'], at_most: 1 } } } })
    try {
      const { artifacts, projects } = asked.on.ports
      const proof = await artifactJson(artifacts, await projects.get(asked.projectId), 'outcome', outcome)
      const says = `The proof was made on ${madeAt(proof)}. What was written to either side since then it does not know.`
      // Each night has a proof of its own: what is asked before the parallel run is about an earlier one.
      const told = asked.on.mails
        .filter(({ text }) => /The proof was made on \d{4}-\d{2}-\d{2} [\d:]{8} UTC\./.test(text))
        .map(({ subject }) => subject)
      expect(asked.mail('release.manager@example.com').text).toContain(says)
      expect(new Set(told.map((subject) => subject.slice(0, subject.indexOf('?'))))).toEqual(
        new Set([
          'Is this proof good enough to run source and target in parallel',
          'Is the business ready to move over',
          'May the cutover happen as this runbook says',
        ]),
      )
      const link = linkIn(asked.mail('release.manager@example.com'))
      await post(link, await filled(link, 'delegate', { delegate_to: 'deputy@example.com' }))
      expect(asked.mail('deputy@example.com').text).toContain(says)
      const plan = asked.on.mails.find(({ subject }) => subject.startsWith('Do you approve this migration plan'))
      expect(plan?.text).not.toContain('The proof was made')
    } finally {
      await asked.close()
    }
  })
})
