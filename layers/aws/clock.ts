import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../core/ports.ts'

/** Full jitter: from nothing to all of it, each as likely. */
export const pauseUpTo = (milliseconds: number): Promise<void> => sleep(Math.random() * milliseconds)

export const systemClock: Clock = { now: () => new Date(), pauseUpTo }
