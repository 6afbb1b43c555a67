import { afterAll, beforeAll } from 'vitest'
import { openStage, type Stage } from './harness/stage.ts'
import { corruptedRun } from './scenarios/corrupted-run.ts'
import { killedWorkers } from './scenarios/killed-workers.ts'
import { NIGHTLY_PROJECT, nightlyRun } from './scenarios/nightly-run.ts'
import { policyChange } from './scenarios/policy-change.ts'
import { teardown } from './scenarios/teardown.ts'
import { waiver } from './scenarios/waiver.ts'
import { wholeMigration } from './scenarios/whole-migration.ts'

const ROWS = 50_000
let stage: Stage
const on = () => stage

// One deployment for all: it is most of the time. Each scenario has a project, a target and secrets of its own.
beforeAll(async () => {
  stage = await openStage(ROWS, ['-c', `nightly=${NIGHTLY_PROJECT}`])
})
afterAll(() => stage?.close())

wholeMigration(on, ROWS)
corruptedRun(on)
killedWorkers(on)
nightlyRun(on)
policyChange(on)
waiver(on)
teardown(on)
