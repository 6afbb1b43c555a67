import { taskFunction } from '../aws.ts'
import { createHandler } from './handler.ts'

export const handler = taskFunction(createHandler)
