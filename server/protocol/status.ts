/** How CoLA Studio is doing: what the status bar shows. */
import { z } from 'zod';
import { nothing, notification, request } from './channel/request.ts';

/** Who uses the device: interactive before search before train. */
export const laneNames = ['interactive', 'search', 'train'] as const;
export type Lane = (typeof laneNames)[number];

/** What the engine tells about itself. */
export const engineStatus = z.object({
  /** Folder of the model that completes; null while none is loaded. */
  model: z.string().nullable(),
  /** The device it computes on. */
  device: z.string().nullable(),
  /** Devices that were tried before it, and why they were not taken. */
  attempts: z.array(z.object({ name: z.string(), reason: z.string().optional() })).default([]),
  /** The lane at work; null when nothing is to do. */
  lane: z.enum(laneNames).nullable(),
  /** Resident memory of the engine, in bytes. */
  memory: z.number(),
  /** Tokens a second that the last completion was generated at; null before the first. */
  tokensPerSecond: z.number().nullable(),
});
export type EngineStatus = z.infer<typeof engineStatus>;

export const status = engineStatus.extend({
  /** Folder of the model that is being loaded. */
  loading: z.string().nullable(),
  health: z.enum(['ok', 'warning', 'error']),
  /** Whether nothing is under way. */
  quiescent: z.boolean(),
  /** One sentence for a person; empty when there is nothing to say. */
  message: z.string(),
  engine: z.enum(['off', 'starting', 'ready', 'restarting', 'failed']),
});
export type Status = z.infer<typeof status>;

/** To the editor, whenever something of it changed. */
export const statusChanged = notification('cola/status/changed', status);
export const getStatus = request('cola/status', nothing, status);
/** To the editor: said once, when it happened. */
export const notice = notification(
  'cola/notice',
  z.object({ severity: z.enum(['information', 'warning', 'error']), message: z.string(), remedy: z.string() }),
);

/** From the engine. */
export const engineStatusChanged = notification('cola/engine/status', engineStatus);
/** To the engine: answered by whoever is alive. */
export const ping = request('cola/engine/ping', nothing, engineStatus);
/** To the server: start the engine anew, also after it was given up. */
export const restartEngine = request('cola/engine/restart', nothing, nothing);
