import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTemplate, TemplateError, TrustedUrl } from "./index.ts";

const text = (template: string, data: unknown = {}) => readTemplate("t.txt", template, "text").render(data);
const html = (template: string, data: unknown = {}) => readTemplate("t.html", template, "html").render(data);
const refusal = (template: string): string => {
  try {
    readTemplate("t.html", template, "html");
  } catch (error) {
    if (error instanceof TemplateError) return error.message;
    throw error;
  }
  return "no refusal";
};

describe("the language", () => {
  const data = {
    Token: "123456",
    Empty: "",
    Data: { name: "Ada", tags: ["a", "b"], nested: { deep: 3 }, ok: true, "with space": "yes" },
    Count: 2,
  };
  it.each([
    ["{{ .Token }}", "123456"],
    ["{{.Data.nested.deep}}", "3"],
    ['{{ index .Data "name" }}', "Ada"],
    ['{{ index .Data "nested" "deep" }}', "3"],
    ["{{ index .Data.tags 1 }}", "b"],
    ['{{ index .Data "with space" }}', "yes"],
    ["{{ .Missing }}{{ .Missing.deeper }}{{ .Token.none }}|", "|"],
    ["{{ .Data.constructor }}{{ .Data.__proto__.x }}{{ .Data.tags.length }}|", "|"],
    ["{{ if .Data.ok }}yes{{ else }}no{{ end }}", "yes"],
    ["{{ if .Empty }}a{{ else if eq .Count 2 }}two{{ else }}b{{ end }}", "two"],
    ["{{ if and .Data.ok (not .Empty) (gt .Count 1) }}x{{ end }}", "x"],
    ['{{ if or .Empty .Missing "z" }}x{{ end }}', "x"],
    ['{{ or .Empty "fallback" }}', "fallback"],
    [
      '{{ eq .Data.name "Bob" "Ada" }} {{ ne 1 2 }} {{ lt "a" "b" }} {{ le 2 2 }} {{ ge 1 2 }}',
      "true true true true false",
    ],
    ["{{ with .Data.nested }}{{ .deep }}{{ $.Token }}{{ else }}none{{ end }}", "3123456"],
    ["{{ with .Missing }}x{{ else with .Data.name }}{{ . }}{{ end }}", "Ada"],
    ["{{ range .Data.tags }}[{{ . }}]{{ end }}", "[a][b]"],
    ["{{ range $i, $t := .Data.tags }}{{ $i }}={{ $t }};{{ end }}", "0=a;1=b;"],
    ["{{ range $k, $v := .Data.nested }}{{ $k }}{{ $v }}{{ end }}", "deep3"],
    ["{{ range .Missing }}x{{ else }}empty{{ end }}", "empty"],
    ["{{ range 4 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ if eq . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}", "02"],
    ['{{ $name := "x" }}{{ if true }}{{ $name = .Token }}{{ end }}{{ $name }}', "123456"],
    ["{{ $x := .Data }}{{ $x.name }}", "Ada"],
    ["a {{- .Count -}} b", "a2b"],
    ["a\n\t{{- /* gone */ -}}\n b", "ab"],
    ["a {{/* kept spaces */}} b", "a  b"],
    [
      '{{ printf "%s has %d, %05.1f%% %-3s| %q %t %x" "Ada" .Count 2.25 "a" "q" true 255 }}',
      'Ada has 2, 002.3% a  | "q" true ff',
    ],
    ["{{ len .Token }} {{ len .Data.tags }} {{ len .Missing }}", "6 2 0"],
    ['{{ print "a" 1 }}{{ println "b" "c" }}', "a1b c\n"],
    ["{{ slice .Token 1 3 }}", "23"],
    ["{{ .Token | printf `%s-%s` `x` }}", "x-123456"],
    ['{{ "a b&c" | urlquery }}', "a+b%26c"],
    ['{{ "<a>" | html }}', "&lt;a&gt;"],
    ["{{ (index .Data.tags 0) }}{{ (.Data).name }}", "aAda"],
    ['{{ define "hi" }}Hi {{ .name }}{{ end }}{{ template "hi" .Data }}', "Hi Ada"],
    ['{{ block "b" .Data }}{{ .name }}{{ end }}', "Ada"],
    ["{{ true }}{{ nil }}{{ 'a' }}{{ 0x10 }}{{ -3 }}{{ 1_000 }}{{ 1.5e1 }}", "true9716-3100015"],
    ['{{ "a\\tb\\x41\\u00e9" }}{{ `raw\\n` }}', "a\tbAéraw\\n"],
    ["{{ .Data.tags }} {{ .Data.nested }}", "[a b] map[deep:3]"],
    ["{ {not} }} {", "{ {not} }} {"],
  ])("%s", (template, expected) => {
    expect(text(template, data)).toBe(expected);
  });

  it.each([
    ["line one\n  {{ .X ", "t.html:2:3: this {{ has no }}"],
    ["{{ if .X }}", "t.html:1:12: a block is open: {{end}} is missing"],
    ["a{{ end }}", "t.html:1:5: {{end}} without a block that it belongs to"],
    ["{{ nope .X }}", 't.html:1:4: there is no function "nope"'],
    ["{{ $x }}", "t.html:1:4: there is no variable $x"],
    ["{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", "t.html:1:39: there is no variable $x"],
    ["{{ .X .Y }}", "t.html:1:4: only a function takes arguments"],
    ["{{ .X | .Y }}", "t.html:1:9: only a function takes arguments"],
    ["{{ (.X }}", "t.html:1:8: ) is expected here"],
    ['{{ "abc }}', "t.html:1:4: this text has no closing quote"],
    ["{{}}", "t.html:1:3: there is nothing between {{ and }}"],
    ["{{ break }}", "t.html:1:4: {{break}} outside of a range"],
    ["{{/* a", "t.html:1:1: the comment does not end"],
    ["{{ if .X }}{{ else }}{{ else }}{{ end }}", "t.html:1:25: {{else}} without a block that it belongs to"],
    ["{{ # }}", 't.html:1:4: "#" is not expected here'],
    ["{{ .X. }}", "t.html:1:6: a name is expected after the dot"],
    ["x".repeat(262_145), "t.html:1:1: a template is at most 262144 characters"],
    [`${"{{if .X}}".repeat(60)}${"{{end}}".repeat(60)}`, "t.html:1:453: blocks nest deeper than 50"],
    [`{{ ${"(".repeat(10_000)} }}`, "t.html:1:54: blocks nest deeper than 50"],
  ])("refuses %.40s with its place", (template, expected) => {
    expect(refusal(template)).toBe(expected);
  });

  it("ends a template that would not", () => {
    expect(() => text("{{ range 1000000000 }}{{ end }}")).toThrow(TemplateError);
    expect(() => text('{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}')).toThrow(TemplateError);
    expect(() => text('{{ $x := "aaaaaaaa" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}')).toThrow(TemplateError);
    expect(() => text("{{ range 99999 }}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{{ end }}")).toThrow(TemplateError);
    expect(() => text('{{ template "none" }}')).toThrow(TemplateError);
  });

  it("never fails but in its own words, whatever it is given", () => {
    const pieces = fc.constantFrom(
      ...[
        "{{",
        "}}",
        "{{-",
        " -}}",
        "{{/*",
        "*/}}",
        "if",
        "else",
        "end",
        "range",
        "with",
        "define",
        "block",
        "template",
      ],
      ...[
        ".",
        ".X",
        ".X.y",
        "$",
        "$x",
        ":=",
        "=",
        "|",
        "(",
        ")",
        ",",
        '"',
        "`",
        "'",
        "\\",
        "\n",
        " ",
        "1",
        "0x",
        "1e9",
      ],
      ...["eq", "printf", "index", "len", "slice", "and", "not", "urlquery", '"%5.3f%d%q"', "<a href=", "<!--", "nil"],
    );
    const anything = fc.oneof(
      fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join("")),
      fc.string(),
    );
    fc.assert(
      fc.property(anything, fc.object({ key: fc.constantFrom("X", "y", "__proto__") }), (template, data) => {
        for (const mode of ["text", "html"] as const) {
          try {
            readTemplate("t", template, mode).render(data);
          } catch (error) {
            expect(error).toBeInstanceOf(TemplateError);
          }
        }
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("X05: data cannot leave its place", () => {
  const evil = `"><script>alert(1)</script><img src=x onerror='a'>`;

  it.each([
    [
      "<p>{{ .X }}</p>",
      evil,
      "<p>&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=&#39;a&#39;&gt;</p>",
    ],
    ["<{{ .X }}", "script", "&lt;script"],
    ["<p title='{{ .X }}'>", "'x", "<p title='&#39;x'>"],
    ["<p title={{ .X }}>", "a onclick=b", "<p title=a&#32;onclick&#61;b>"],
    ["<p title={{ .X }} class=b>", "", "<p title=ZgotmplZ class=b>"],
    ["<p {{ .X }}='a'>", "onclick", "<p ZgotmplZ='a'>"],
    ["<p o{{ .X }}='{{ .X }}'>", "nclick", "<p onclick='ZgotmplZ'>"],
    ["<s{{ .X }}>a", "cript", "<sZgotmplZ>a"],
    ["<a href='{{ .X }}'>", "javascript:alert(1)", "<a href='#ZgotmplZ'>"],
    ["<a href='{{ .X }}'>", "java\nscript:alert(1)", "<a href='#ZgotmplZ'>"],
    ["<a href='  {{ .X }}'>", "\u0001jAvascript:alert(1)", "<a href='  #ZgotmplZ'>"],
    ["<a href='{{ .X }}'>", "data:text/html,x", "<a href='#ZgotmplZ'>"],
    ["<a href='{{ .X }}'>", "evil:x", "<a href='#ZgotmplZ'>"],
    ["<a href='java{{ .X }}'>", "script:alert(1)", "<a href='java#ZgotmplZ'>"],
    ["<a href='javascript:{{ .X }}'>", "alert(1)", "<a href='javascript:#ZgotmplZ'>"],
    ["<a href='{{ .X }}'>", 'https://a.b/c d?e="f"&g', "<a href='https://a.b/c%20d?e=%22f%22&amp;g'>"],
    ["<a href='/p/{{ .X }}'>", "a'b", "<a href='/p/a%27b'>"],
    ["<a href='/?q={{ .X }}&r=1'>", "a&b=c d#e", "<a href='/?q=a%26b%3Dc%20d%23e&r=1'>"],
    ["<a href='/?q={{ .X | urlquery }}'>", "a b&", "<a href='/?q=a&#43;b%26'>"],
    ["<a href='{{ .X }}{{ .X }}'>", "/?a=b", "<a href='/?a=b%2F%3Fa%3Db'>"],
    ["<img srcset='{{ .X }} 2x'>", "a.png 1x, b", "<img srcset='a.png%201x%2C%20b 2x'>"],
    ["<p style='color: {{ .X }}'>", "red", "<p style='color: red'>"],
    ["<p style='color: {{ .X }}'>", "red; background: url(x)", "<p style='color: ZgotmplZ'>"],
    [
      "<p style='background: url({{ .X }})'>",
      "https://a.b/c(1).png",
      "<p style='background: url(https://a.b/c%281%29.png)'>",
    ],
    ["<style>p { color: {{ .X }} }</style>{{ .X }}", "</style>", "<style>p { color: ZgotmplZ }</style>&lt;/style&gt;"],
    ["<script>let a = '{{ .X }}'</script>{{ .X }}", "'", "<script>let a = 'ZgotmplZ'</script>&#39;"],
    ["<p onclick='f({{ .X }})'>", "1", "<p onclick='f(ZgotmplZ)'>"],
    ["<iframe srcdoc='{{ .X }}'>", "a", "<iframe srcdoc='ZgotmplZ'>"],
    ["<title>{{ .X }}</title>", "</title><b>", "<title>&lt;/title&gt;&lt;b&gt;</title>"],
    ["<!-- {{ .X }} --><p>{{ .X }}", "--><b>", "<!--  --><p>--&gt;&lt;b&gt;"],
    [
      "<!--[if mso]><a href='{{ .X }}'>{{ .X }}</a><![endif]--><p>{{ .X }}",
      "--><b>",
      "<!--[if mso]><a href='--%3E%3Cb%3E'>--&gt;&lt;b&gt;</a><![endif]--><p>--&gt;&lt;b&gt;",
    ],
    ["<!doctype html {{ .X }}>{{ .X }}", ">", "<!doctype html >&gt;"],
    ["<b{{ if true }} title='{{ end }}{{ .X }}'>", "'>", "<b title='&#39;&gt;'>"],
    ["a < b {{ .X }}", "&", "a &lt; b &amp;"],
    ["{{ .X | html }}", "&", "&amp;"],
  ])("%s", (template, value, expected) => {
    expect(html(template, { X: value })).toBe(expected);
  });

  it("lets links lead to what the server itself made, script excepted", () => {
    expect(html("<a href='{{ .X }}'>", { X: new TrustedUrl("myapp://cb?a=b&c") })).toBe(
      "<a href='myapp://cb?a=b&amp;c'>",
    );
    expect(html("<a href='{{ .X }}'>", { X: new TrustedUrl("javascript:alert(1)") })).toBe("<a href='#ZgotmplZ'>");
    expect(html("<a href='{{ .X }}?t={{ .Y }}'>", { X: new TrustedUrl("myapp://cb"), Y: "1 2" })).toBe(
      "<a href='myapp://cb?t=1%202'>",
    );
  });

  /** Tags and attribute names of a document, found in another way than the writer finds them. */
  function shapeOf(document: string): string[] {
    const shape: string[] = [];
    for (const [tag] of document.matchAll(/<\/?[a-zA-Z](?:"[^"]*"|'[^']*'|[^"'>])*>/g)) {
      const name = /^<\/?\w+/.exec(tag)![0];
      const attributes = [...tag.slice(name.length).matchAll(/([\w-]+)(?:=("[^"]*"|'[^']*'|[^ \t\n\r\f>"']*))?/g)];
      shape.push(name, ...attributes.map(([, attribute]) => attribute!));
    }
    return shape;
  }

  it("keeps the document's shape, whatever is in the data", () => {
    const template =
      `<!doctype html><title>{{ .A }}</title><style>a { color: {{ .B }}; background: url("{{ .A }}") }</style>` +
      `<p class="x {{ .A }}" title='{{ .B }}' id={{ .A }} data-x={{ .B }}>{{ .A }}<a href="{{ .B }}">{{ .B }}</a>` +
      `<a href='https://x.y/{{ .A }}?q={{ .B }}#{{ .A }}'>x</a><a href={{ .A }}>y</a><!-- {{ .A }} -->` +
      `<img src="{{ .A }}" alt="{{ .B }}" style="width: {{ .A }}"><textarea>{{ .B }}</textarea>` +
      `{{ range .C }}<b title="{{ . }}">{{ . }}</b>{{ end }}</p>`;
    const parsed = readTemplate("t", template, "html");
    const expected = shapeOf(parsed.render({ A: "x", B: "x", C: ["x", "x"] }));
    const nasty = fc
      .array(
        fc.oneof(
          fc.constantFrom(..."\"'`<>&=/\\ \t\n\r\f\0(){};:#?%+-!".split("")),
          fc.constantFrom(
            "</style>",
            "</title>",
            "</textarea>",
            "-->",
            "<!--",
            "]]>",
            "<script>",
            "javascript:",
            "&quot;",
          ),
          fc.constantFrom("onload=", "expression(", "url(", "\u2028", "\ud800", "%22", "&#34"),
          fc.string({ unit: "binary", maxLength: 3 }),
        ),
        { maxLength: 8 },
      )
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(nasty, nasty, (a, b) => {
        const document = parsed.render({ A: a, B: b, C: [a, b] });
        expect(shapeOf(document)).toEqual(expected);
        expect(document).not.toMatch(/href="?'?\s*(javascript|data|vbscript):/i);
      }),
      { numRuns: 3_000 },
    );
  });
});
