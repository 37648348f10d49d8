// Requests to the studio. Addresses are relative: the page's own address holds the token.

export class Told extends Error {}      // the studio says what is wrong
export class Gone extends Error {}      // it does not answer
export class Stranger extends Error {}  // it was started anew, with another token
export class Overtaken extends Error {} // a newer request came before

async function answered(address, how) {
  let answer;
  try {
    answer = await fetch(address, how);
  } catch {
    throw new Gone("the studio does not answer");
  }
  if (answer.ok) return answer;
  if (answer.status === 403) throw new Stranger("the studio was started anew");
  const said = await answer.json().catch(() => ({}));
  if (said.overtaken) throw new Overtaken();
  throw new Told(said.error || `the studio answered ${answer.status}`);
}

const asJson = (value) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) });

export const get = async (address) => (await answered(address)).json();
export const post = async (address, value = {}) => (await answered(address, asJson(value))).json();
export const blob = async (address, value) => (await answered(address, value && asJson(value))).blob();

export async function upload(name, data) {
  const address = `api/photos?name=${encodeURIComponent(name)}`;
  return (await answered(address, { method: "POST", body: data })).json();
}

// The saved photo and the outcome that the manifest of a folder would tell.
export async function saved(address, value) {
  const answer = await answered(address, asJson(value));
  return { data: await answer.blob(), ...JSON.parse(decodeURIComponent(answer.headers.get("x-outcome"))) };
}

export function download(data, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(data);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
