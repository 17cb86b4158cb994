// Hearth and CosmJS with the same words: the same addresses, and for everything that Hearth signs CosmJS makes the same
// signature of the same SignDoc. What one does, the other reads.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import test from 'node:test'

import { stringToPath } from '@cosmjs/crypto'
import { toHex } from '@cosmjs/encoding'
import { DirectSecp256k1HdWallet } from '@cosmjs/proto-signing'
import { StargateClient, assertIsDeliverTxSuccess } from '@cosmjs/stargate'
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx'
import { fromBase64 } from '@cosmjs/encoding'

import { CHAIN_ID, POKT, call, comet, does, person, query } from './support.mjs'

const passwords = `${process.env.NODE_DATA}.password`
writeFileSync(passwords, 'correct horse battery\n', { mode: 0o600 })

function hearth(...args) {
  const [words, rest] = typeof args[0] === 'object' ? [args[0].input, args.slice(1)] : ['', args]
  const all = [...rest, '--data-dir', process.env.NODE_DATA, '--json']
  return JSON.parse(execFileSync(process.env.NODE_PROGRAM, all, { input: words, encoding: 'utf8' }))
}

// The light client shows what is proven, a block or two later.
async function until(holds) {
  for (const end = Date.now() + 60_000; !holds(); ) {
    assert.ok(Date.now() < end, `after a minute: ${holds}`)
    await new Promise((done) => setTimeout(done, 200))
  }
}

// What signs asks for the password and for a yes.
const signs = (...args) => hearth(...args, '--yes', '--password-file', passwords)

// Both keys of Hearth's wallet.
const paths = [0, 1].map((index) => stringToPath(`m/44'/118'/0'/0/${index}`))
const fresh = await DirectSecp256k1HdWallet.generate(24, { prefix: 'pokt' })
const wallet = await DirectSecp256k1HdWallet.fromMnemonic(fresh.mnemonic, { prefix: 'pokt', hdPaths: paths })
const [main, working] = (await wallet.getAccounts()).map(({ address }) => address)
const reader = await StargateClient.create(comet)
const SERVICE = 'from-hearth'

// Signs what Hearth signed once more.
async function sameSignature(hash) {
  const { tx, code } = await reader.getTx(hash)
  assert.equal(code, 0)
  const raw = TxRaw.decode(tx)
  assert.equal(raw.signatures.length, 1)
  for (const address of [main, working]) {
    const { accountNumber } = await reader.getSequence(address)
    const doc = { bodyBytes: raw.bodyBytes, authInfoBytes: raw.authInfoBytes, chainId: CHAIN_ID, accountNumber }
    const { signature } = await wallet.signDirect(address, { ...doc, accountNumber: BigInt(accountNumber) })
    if (toHex(fromBase64(signature.signature)) === toHex(raw.signatures[0])) return
  }
  assert.fail(`neither key makes the signature of ${hash}`)
}

async function allDone(sent, count) {
  assert.equal(sent.transactions.length, count, JSON.stringify(sent))
  for (const one of sent.transactions) {
    assert.ok(['placed', 'included'].includes(one.state), JSON.stringify(one))
    await sameSignature(one.tx)
  }
}

test('the words give Hearth the addresses that they give CosmJS', () => {
  hearth({ input: `${fresh.mnemonic}\n` }, 'wallet', 'import', '--password-file', passwords)
  const { accounts } = hearth('wallet', 'list')
  assert.deepEqual(accounts.map(({ address }) => address), [main, working])
})

test('what Hearth signs CosmJS signs byte for byte', async () => {
  await call('devnet_faucet', { address: main, amount: String(1_000_000n * POKT) })
  await call('devnet_faucet', { address: working, amount: String(1_000n * POKT) })
  await until(() => {
    const { places } = hearth('wallet', 'balance')
    const has = (kind) => places.some((place) => place.kind === kind && place.amount !== '0')
    return has('spendable_main') && has('spendable_working')
  })
  const paid = signs('wallet', 'send', working, '12.5')
  await sameSignature(paid.tx)
  await allDone(signs('service', 'add', SERVICE, '--name', 'From Hearth', '--compute-units', '7'), 1)
  await allDone(
    signs('stake', 'supplier', '--stake', '60', '--service', `${SERVICE}=http://127.0.0.1:4328`), 2,
  )
  await allDone(signs('stake', 'application', '--stake', '500', '--service', SERVICE), 1)
  await allDone(signs('stake', 'gateway', '--stake', '100'), 1)
  await allDone(signs('delegate'), 1)
  const application = (await query('/pocket.application.Query/Application', main)).found
  assert.deepEqual(
    [application.stake.amount, application.delegatee_gateway_addresses],
    [String(500n * POKT), [working]],
  )
  const supplier = (await query('/pocket.supplier.Query/Supplier', working)).found
  assert.deepEqual([supplier.owner_address, supplier.stake.amount], [main, String(60n * POKT)])
})

test('what CosmJS does Hearth reads', async () => {
  const same = await person(fresh.mnemonic, 0n)
  assert.equal(same.address, main)
  const changed = await does(same, '/pocket.service.MsgAddService', {
    owner_address: main,
    service: { id: SERVICE, name: 'From CosmJS', compute_units_per_relay: 9, owner_address: main },
  })
  assertIsDeliverTxSuccess(changed)
  assertIsDeliverTxSuccess(
    await does(same, '/pocket.application.MsgUndelegateFromGateway', { app_address: main, gateway_address: working }),
  )
  assertIsDeliverTxSuccess(await does(same, '/pocket.application.MsgUnstakeApplication', { address: main }))
  await until(() => hearth('stake').application.leaving)
  const page = hearth('stake')
  assert.deepEqual(page.application.gateways, [])
  assert.ok(page.application.leaving.free_height > page.application.leaving.until_height)
  const listed = hearth('service', 'list', '--own')
  assert.deepEqual(
    listed.services.map(({ id, name, compute_units: units, is_own: own }) => [id, name, units, own]),
    [[SERVICE, 'From CosmJS', 9, true]],
  )
})

test.after(() => comet.disconnect())
