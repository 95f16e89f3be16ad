import { type Context, serve } from "@mainstay/functions";

interface Wish {
  readonly name: string;
  readonly numbers: readonly number[];
}

/** What an app asks of jobs, from outside: puts them in with their keys, cancels, and has them run again. */
serve(async (request, ctx: Context) => {
  const path = new URL(request.url).pathname.split("/").at(-1);
  const body: unknown = await request.json();
  switch (path) {
    case "enqueue": {
      const { name, numbers } = body as Wish;
      const ids = await ctx.transaction(
        async (tx) => {
          const made: string[] = [];
          for (const n of numbers) made.push((await tx.jobs.enqueue(name, { n }, { key: `${name}/${n}` })).id);
          return made;
        },
        { as: "admin" },
      );
      return Response.json(ids);
    }
    case "cancel":
      return Response.json(await ctx.jobs.cancel(body as string));
    case "retry":
      return Response.json(await ctx.jobs.retry(body as string));
    case "state":
      return Response.json((await ctx.jobs.get(body as string))?.state ?? null);
    default:
      return new Response(null, { status: 404 });
  }
});
