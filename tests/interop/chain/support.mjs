// What the tests of CosmJS share: the chain, accounts with play money, and telling what is refused and how.

import { DirectSecp256k1HdWallet, Registry } from '@cosmjs/proto-signing'
import { SigningStargateClient, calculateFee, defaultRegistryTypes } from '@cosmjs/stargate'
import { Comet38Client } from '@cosmjs/tendermint-rpc'

import { MESSAGES, QUERIES } from './pocket.mjs'

export const rpc = process.env.CHAIN_RPC
export const CHAIN_ID = 'hearth-devnet'
export const POKT = 1_000_000n
export const coin = (upokt) => ({ denom: 'upokt', amount: String(upokt) })
export const fee = (gas = 400_000) => calculateFee(gas, '0.000001upokt')
export const registry = new Registry([...defaultRegistryTypes, ...Object.entries(MESSAGES)])

export const comet = await Comet38Client.connect(rpc)

// A JSON-RPC call that CosmJS has no name for.
export async function call(method, params) {
  const answer = await fetch(rpc, {
    method: 'POST',
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  const { result, error } = await answer.json()
  if (error) throw new Error(`${method}: ${JSON.stringify(error)}`)
  return result
}

// A client that signs for words; without them new ones, with play money.
export async function person(words, money = 100_000n * POKT) {
  const options = { prefix: 'pokt' }
  const wallet = words
    ? await DirectSecp256k1HdWallet.fromMnemonic(words, options)
    : await DirectSecp256k1HdWallet.generate(24, options)
  const [{ address }] = await wallet.getAccounts()
  if (money > 0n) await call('devnet_faucet', { address, amount: String(money) })
  const client = await SigningStargateClient.createWithSigner(comet, wallet, {
    registry,
    broadcastPollIntervalMs: 50,
    broadcastTimeoutMs: 20_000,
  })
  return { wallet, address, client, words: wallet.mnemonic }
}

// Signs, sends, and waits for the block.
export function does({ client, address }, typeUrl, value, memo = '') {
  return client.signAndBroadcast(address, [{ typeUrl, value }], fee(), memo)
}

export async function query(path, ask) {
  const { ask: asked, answer } = QUERIES[path]
  const data = asked.encode(typeof ask === 'string' ? { key: ask } : ask).finish()
  const found = await comet.abciQuery({ path, data })
  if (found.code !== 0) throw Object.assign(new Error(found.log), found)
  return answer.decode(found.value)
}

export async function untilHeight(height) {
  while ((await comet.status()).syncInfo.latestBlockHeight < height) await new Promise((done) => setTimeout(done, 50))
}
