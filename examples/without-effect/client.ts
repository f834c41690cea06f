/** A client as somebody might write it by hand: enrols once, and once more where the answer got lost. */

export interface Settings {
  readonly url: string
  readonly authorization: string
}

const call = (settings: Settings, customerId: number, initialBalance: number | null): Promise<Response> =>
  fetch(`${settings.url}/api_gateway/intouch-api-v3/v3.1/targetGroups/2154/targets/2309/enroll`, {
    method: "POST",
    headers: { authorization: settings.authorization, "content-type": "application/json" },
    body: JSON.stringify([{ customerId, periodName: "Cycle_1", initialBalance }])
  })

const alreadyEnrolled = 310119

/** Whether the customer is in the milestone now. */
export const enroll = async (settings: Settings, customerId: number, initialBalance: number | null = null): Promise<boolean> => {
  const answer = await call(settings, customerId, initialBalance).catch(() => call(settings, customerId, initialBalance))
  const { data, errors } = await answer.json() as { data: number | null; errors: ReadonlyArray<{ code: number }> | null }
  return data === customerId || errors?.[0]?.code === alreadyEnrolled
}
