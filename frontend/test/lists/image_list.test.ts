import { describe, expect, it } from "vitest";
import type { ImagePage, Item } from "../../src/api/messages";
import { ImageList } from "../../src/lists/image_list";

const itemOf = (key: number) => ({ key, id: `${key}` }) as unknown as Item;

function serverOf(keys: number[]) {
  const server = {
    keys,
    place: async (key: number) => (server.keys.includes(key) ? server.keys.indexOf(key) : null),
    fetch: async (offset: number, limit: number): Promise<ImagePage> =>
      ({ total: server.keys.length, counts: {}, states: {}, items: server.keys.slice(offset, offset + limit).map(itemOf) }) as unknown as ImagePage,
  };
  return server;
}

describe("ImageList", () => {
  it("loads what is looked at, in place", async () => {
    const server = serverOf(Array.from({ length: 250 }, (_, i) => 1000 + i));
    const list = new ImageList(server.fetch, server.place);
    await list.ensure(0, 10);
    expect([list.total, list.at(99)?.key, list.at(100)]).toEqual([250, 1099, undefined]);
    await list.ensure(240, 260);
    expect(list.at(249)?.key).toBe(1249);
    expect(list.at(150)).toBeUndefined();
    expect(list.placeOf(1249)).toBe(249);
    expect(await list.find(1160)).toBe(160);
    expect(await list.find(7)).toBeNull();
  });

  it("finds an image far down the list without loading what is before it", async () => {
    const server = serverOf(Array.from({ length: 9000 }, (_, i) => i));
    const list = new ImageList(server.fetch, server.place);
    expect(await list.find(8123)).toBe(8123);
    expect([list.at(8122)?.key, list.at(8124)?.key, list.at(0), list.total]).toEqual([8122, 8124, undefined, 9000]);
  });

  it("passes no image over when images leave the list while it is worked through", async () => {
    const keys = Array.from({ length: 350 }, (_, i) => i);
    const server = serverOf([...keys]);
    const list = new ImageList(server.fetch, server.place);
    const seen: number[] = [];
    for (let place = 0; place < 350; place++) {
      await list.ensure(place, place + 1);
      const item = list.at(place);
      if (item === undefined) break;
      seen.push(item.key);
      if (place % 7 === 0) {
        server.keys = server.keys.filter((key) => key !== item.key);
        list.changed(item);
      }
    }
    expect([...seen].sort((a, b) => a - b)).toEqual(keys);
  });

  it("says what is wrong and goes on after it is mended", async () => {
    const server = serverOf([1, 2, 3]);
    let down = true;
    const list = new ImageList((offset, limit) => (down ? Promise.reject(new Error("gone")) : server.fetch(offset, limit)), server.place);
    await list.ensure(0, 3);
    expect(list.error).toBe("gone");
    down = false;
    await list.retry();
    expect([list.error, list.at(2)?.key]).toEqual([null, 3]);
  });
});
