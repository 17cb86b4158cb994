// Waiting, shared by the window tests.

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks again and again until the answer is true enough, or the time is over. */
export async function until(what, check, ms = 60_000) {
  const end = Date.now() + ms
  let last
  while (Date.now() < end) {
    try {
      const value = await check()
      if (value) return value
    } catch (error) {
      last = error
    }
    await sleep(250)
  }
  throw new Error(`${what} did not happen within ${ms} ms: ${last ?? ''}`)
}
