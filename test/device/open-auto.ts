/** Opens a device by the name given and prints what came of it, for a parent that has spoilt the drivers. */
import { openDevice } from '../../server/device/device.ts';
import { ColaError } from '../../server/errors.ts';

try {
  const { device, attempts } = await openDevice(process.argv[2]);
  await device.dispose();
  console.log(JSON.stringify({ device: device.name, attempts }));
} catch (error) {
  if (!(error instanceof ColaError)) throw error;
  console.log(JSON.stringify(error));
}
