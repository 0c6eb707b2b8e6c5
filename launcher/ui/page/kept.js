// Conversations kept in this browser, and nowhere else: in IndexedDB, which other sites cannot read.
//
// A conversation is {id, tab, title, changed, turns}, a turn {question, pictures, answer}, a picture {name,
// type, size, blob, document}; `blob` is null where the browser had no room for it any more or it has not
// come, `document` says of which document or video it is a part, or is null.

const MOST_PICTURE_BYTES = 64 * 1024 * 1024; // of all conversations together
const TITLE_LENGTH = 60;

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

let database = null;
const conversations = async (mode) => {
  database ??= await (() => {
    const opening = indexedDB.open("launcher", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("conversations", { keyPath: "id" });
    return done(opening);
  })();
  return database.transaction("conversations", mode).objectStore("conversations");
};

const picturesOf = (conversation) => conversation.turns.flatMap((turn) => turn.pictures);

// A private window of Safari keeps no Blob in a database; it keeps the same bytes as an ArrayBuffer.
const withBuffers = async (conversation) => {
  const copy = structuredClone(conversation);
  for (const picture of picturesOf(copy)) picture.blob = (await picture.blob?.arrayBuffer()) ?? null;
  return copy;
};
const withBlobs = (conversation) => {
  for (const picture of picturesOf(conversation)) {
    if (picture.blob instanceof ArrayBuffer) picture.blob = new Blob([picture.blob], { type: picture.type });
  }
  return conversation;
};

const keptAll = async () =>
  (await done((await conversations("readonly")).getAll()))
    .map(withBlobs)
    .sort((one, other) => other.changed - one.changed);
const keptOne = async (id) => {
  const found = await done((await conversations("readonly")).get(id));
  return found && withBlobs(found);
};
const forget = async (id) => done((await conversations("readwrite")).delete(id));
const record = async (conversation) => done((await conversations("readwrite")).put(conversation));
const store = async (conversation) => {
  try {
    await record(conversation);
  } catch {
    await record(await withBuffers(conversation));
  }
};

const bytesOf = (conversation) =>
  picturesOf(conversation).reduce((sum, { blob }) => sum + (blob?.size ?? 0), 0);

// Keeps a conversation as it is now. The pictures of the oldest ones go where there are too many.
const write = async (conversation) => {
  await store(conversation);
  let bytes = 0;
  for (const each of await keptAll()) {
    bytes += bytesOf(each);
    if (bytes <= MOST_PICTURE_BYTES || !bytesOf(each)) continue;
    bytes -= bytesOf(each);
    picturesOf(each).forEach((picture) => (picture.blob = null));
    await store(each);
  }
};

// One line that is never empty: of what is given, or else of the first question.
const titleOf = (turns, given = "") => {
  const line = (given.trim() || turns[0].question.trim()).split("\n")[0], signs = [...line];
  return signs.length > TITLE_LENGTH ? `${signs.slice(0, TITLE_LENGTH - 1).join("")}…` : line;
};
