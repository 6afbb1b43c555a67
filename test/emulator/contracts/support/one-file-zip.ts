import { crc32 } from 'node:zlib'

/** An archive of one file, stored as it is: what Lambda takes code in. */
export function oneFileZip(name: string, text: string): Uint8Array {
  const [path, bytes] = [Buffer.from(name), Buffer.from(text)]
  const common = Buffer.alloc(26)
  // Version 2.0, no flags, stored, at midnight of 1 January 1980.
  common.writeUInt16LE(20, 0)
  common.writeUInt16LE(33, 8)
  common.writeUInt32LE(crc32(bytes), 10)
  common.writeUInt32LE(bytes.length, 14)
  common.writeUInt32LE(bytes.length, 18)
  common.writeUInt16LE(path.length, 22)
  const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, path, bytes])
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x03', 'latin1'), common, Buffer.alloc(14), path])
  // Regular file that everybody may read; its local header is at the start.
  central.writeUInt32LE(0o100644 * 65_536, 38)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(1, 8)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(local.length, 16)
  return Buffer.concat([local, central, end])
}
