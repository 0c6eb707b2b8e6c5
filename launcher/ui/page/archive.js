// Conversations as files: JSON, which can be read back, and Markdown with its pictures in a zip.

const FORMAT = "launcher-conversation";
const MOST_IMPORTED_BYTES = 128 * 1024 * 1024;

const encoded = (blob) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
const decoded = (base64, type) =>
  new Blob([Uint8Array.from(atob(base64), (each) => each.charCodeAt(0))], { type });

const asJson = async ({ title, tab, turns }) => {
  const written = [];
  for (const { question, pictures, answer } of turns) {
    const files = pictures.map(async ({ name, type, blob, document: told }) => {
      return { name, type, data: blob && (await encoded(blob)), ...(told ? { document: told } : {}) };
    });
    written.push({ question, pictures: await Promise.all(files), answer });
  }
  return JSON.stringify({ format: FORMAT, version: 1, title, model: tab, turns: written }, null, 1);
};

// What a file of ours says, or null where it is none. Nothing in it is believed to be HTML.
const fromJson = (text) => {
  const isText = (value) => typeof value === "string";
  const asPicture = ({ name, type, data, document: told }) => {
    if (![name, type, data ?? "", told ?? ""].every(isText) || !type.startsWith("image/")) throw 0;
    const blob = data ? decoded(data, type) : null;
    return { name, type, size: blob?.size ?? 0, blob, document: told ?? null };
  };
  try {
    const { format, version, title, turns } = JSON.parse(text);
    if (format !== FORMAT || version !== 1 || !isText(title) || !turns.length) return null;
    const found = turns.map(({ question, pictures, answer }) => {
      if (![question, answer].every(isText) || !question.trim()) throw 0;
      return { question, answer, pictures: pictures.map(asPicture) };
    });
    return { title: titleOf(found, title), turns: found };
  } catch {
    return null;
  }
};

// A question is no Markdown: its marks are shown as they were typed.
const quoted = (text) =>
  text.replace(/[\\`*_{}[\]<>()#+\-.!|~$&]/g, "\\$&").split("\n").map((line) => `> ${line}`).join("\n");
const ENDINGS = { "image/jpeg": "jpg", "image/svg+xml": "svg" };
const endingOf = (type) => ENDINGS[type] ?? type.split("/")[1].replace(/\W/g, "");

// The zip's files: name -> blob or text.
const asMarkdown = ({ title, tab, changed, turns }) => {
  const files = {}, parts = [`# ${title.replace(/\n/g, " ")}\n\n${tab}, ${new Date(changed).toISOString()}`];
  turns.forEach(({ question, pictures, answer }, turn) => {
    parts.push(`## ${turn + 1}`);
    pictures.forEach(({ type, name, blob }, number) => {
      const file = `pictures/${turn + 1}-${number + 1}.${endingOf(type)}`;
      if (blob) files[file] = blob;
      parts.push(blob ? `![](${file})` : `(${name})`);
    });
    parts.push(quoted(question), answer);
  });
  return { "conversation.md": `${parts.join("\n\n")}\n`, ...files };
};

// ---- zip, without compression: pictures are compressed already (PKWARE's APPNOTE.TXT, 4.3) ----

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});
const crc32 = (bytes) => {
  let crc = ~0;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
};
// Numbers in little-endian order: [value, bytes] each.
const packed = (...numbers) =>
  Uint8Array.from(
    numbers.flatMap(([value, size]) => Array.from({ length: size }, (_, at) => (value >>> (8 * at)) & 0xff)),
  );
const NONE = [0, 2]; // no compression, time, extra field, comment, second volume, attribute
const UTF8_NAMES = 0x0800, VERSION_NEEDED = 20, FIRST_DAY = 0x0021; // 1980-01-01

const zipped = async (files) => {
  const contents = [], directory = [];
  let offset = 0, directorySize = 0;
  for (const [name, content] of Object.entries(files)) {
    const bytes = new Uint8Array(await new Blob([content]).arrayBuffer());
    const written = new TextEncoder().encode(name);
    const facts = [
      [VERSION_NEEDED, 2], [UTF8_NAMES, 2], NONE, NONE, [FIRST_DAY, 2],
      [crc32(bytes), 4], [bytes.length, 4], [bytes.length, 4], [written.length, 2], NONE,
    ];
    const head = packed([0x04034b50, 4], ...facts);
    const where = [NONE, NONE, NONE, [0, 4], [offset, 4]];
    const entry = packed([0x02014b50, 4], [VERSION_NEEDED, 2], ...facts, ...where);
    contents.push(head, written, bytes);
    directory.push(entry, written);
    offset += head.length + written.length + bytes.length;
    directorySize += entry.length + written.length;
  }
  const count = directory.length / 2;
  const counts = [[count, 2], [count, 2], [directorySize, 4], [offset, 4]];
  const end = packed([0x06054b50, 4], NONE, NONE, ...counts, NONE);
  return new Blob([...contents, ...directory, end], { type: "application/zip" });
};

const save = (name, blob) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};
const fileName = ({ title }) => title.replace(/[^\p{L}\p{N} _-]/gu, "").trim().slice(0, 40) || "conversation";
