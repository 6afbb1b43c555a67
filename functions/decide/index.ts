import { httpFunction } from '../aws.ts'
import { createHandler, OUTBOX_PATH } from './handler.ts'

export const handler = httpFunction(createHandler, OUTBOX_PATH)
