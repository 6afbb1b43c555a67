import { httpFunction } from '../aws.ts'
import { createHandler } from './handler.ts'

export const handler = httpFunction(createHandler)
