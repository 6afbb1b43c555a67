/** All assertions on the templates lie in one file, so that each stage is synthesised once. */

import { acceptanceTests } from './acceptance.ts'
import { accessTests } from './access.ts'
import { evidenceTests } from './evidence.ts'
import { flowTests } from './flows.ts'
import { operationTests } from './operation.ts'
import { synthesise } from './synth.ts'

const prod = synthesise('prod')
const dev = synthesise('dev')

evidenceTests(prod, dev)
accessTests(prod)
flowTests(prod)
operationTests(prod)
acceptanceTests(prod, dev)
