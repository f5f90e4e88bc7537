/** For every test, before the first: the helpers of rewards and environments are those that are bundled for tests. */
import { startFromBundles } from '../../server/rewards/process/helper.ts';
import { programFolder } from './bundled.ts';

startFromBundles(programFolder);
