import { workerMain } from '../aws.ts'
import { createHandler } from './handler.ts'

await workerMain(createHandler)
