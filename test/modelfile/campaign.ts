/**
 * Tries the properties of Modelfiles on many of them:
 *
 *     npx tsx test/modelfile/campaign.ts [count of each kind] [seed]
 *
 * Prints one JSON object; a property that does not hold is shown with its smallest case (exit code 1).
 */
import { runCampaign } from '../support/campaign.js'
import { properties } from './properties.js'

await runCampaign(properties)
