import { describe, expect, test } from "vitest";
import { acceptedFormats, orderOf, readTransformation, transformationsText } from "./parameters.ts";

const read = (query: string) => readTransformation(Object.fromEntries(new URLSearchParams(query)), 2_500);
const code = (work: () => unknown) => {
  try {
    work();
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe("parameters of an image", () => {
  test("say how it is to be", () => {
    expect(read("width=200&height=100&resize=contain&quality=60&format=webp")).toEqual({
      width: 200,
      height: 100,
      resize: "contain",
      quality: 60,
      format: "webp",
      gravity: "ce",
      xOffset: 0,
      yOffset: 0,
    });
    expect(read("")).toMatchObject({ width: null, height: null, resize: "cover", quality: null, format: null });
    expect(read("width=0&height=&quality=&cacheNonce=1&token=x")).toEqual(read(""));
    expect(readTransformation({ width: 300, height: null, quality: 20 }, 2_500)).toMatchObject({
      width: 300,
      height: null,
      quality: 20,
    });
  });

  test("are as large as may be where they are larger", () => {
    expect(read("width=2501&height=99999999")).toMatchObject({ width: 2_500, height: 2_500 });
  });

  test("are refused where they are none", () => {
    const refused = [
      ...["width=abc", "width=1.5", "width=-1", "width=1e3", "height=%2B5", "width=99999999999", "height=0x10"],
      ...["quality=19", "quality=101", "quality=good", "resize=crop", "resize=toString", "format=jpeg", "format=WEBP"],
      ...["gravity=north", "x_offset=1.5", "y_offset=100001"],
    ];
    for (const query of refused)
      expect(
        code(() => read(query)),
        query,
      ).toBe("InvalidRequest");
    for (const given of [{ width: "2", height: {} }, { width: [1] }, { quality: true }, { resize: 1 }]) {
      expect(
        code(() => readTransformation(given, 2_500)),
        JSON.stringify(given),
      ).toBe("InvalidRequest");
    }
  });

  test("are told as imgproxy has them", () => {
    const told = (query: string) => transformationsText(read(query));
    expect(told("width=200&height=200&quality=60")).toBe("height:200,width:200,resizing_type:fill,quality:60");
    expect(told("width=200&resize=contain")).toBe("width:200,resizing_type:fit");
    expect(told("height=9&resize=fill&format=avif")).toBe("height:9,resizing_type:force,format:avif");
    expect(told("format=origin")).toBe("");
    expect(told("width=9&height=9&gravity=noea&x_offset=3")).toBe(
      "height:9,width:9,resizing_type:fill,gravity:noea:3:0",
    );
  });

  test("that come to the same are the same", () => {
    const order = (query: string) => orderOf(read(query), []);
    expect(order("width=200&quality=80&gravity=no")).toEqual(order("width=200&resize=contain"));
    expect(order("width=9&height=9&resize=fill&x_offset=4")).toEqual(order("width=9&height=9&resize=fill"));
    expect(order("width=9&height=9&gravity=no")).not.toEqual(order("width=9&height=9"));
  });
});

describe("formats a client accepts", () => {
  test("are those it names", () => {
    const chrome = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";
    expect(acceptedFormats(chrome, false)).toEqual(["webp"]);
    expect(acceptedFormats(chrome, true)).toEqual(["avif", "webp"]);
    for (const accept of [
      undefined,
      "",
      "*/*",
      "image/*",
      "image/png",
      "image/webp;q=0",
      "image/avif, image/webp; q=0.0",
    ])
      expect(acceptedFormats(accept, false), accept).toEqual([]);
    expect(acceptedFormats("IMAGE/WEBP ; q=0.1", false)).toEqual(["webp"]);
  });

  test("count only where no other is asked for", () => {
    expect(orderOf(read("format=origin"), ["webp"]).formats).toEqual([]);
    expect(orderOf(read("format=avif"), ["webp"]).formats).toEqual(["avif"]);
    expect(orderOf(read(""), ["webp"]).formats).toEqual(["webp"]);
  });
});
