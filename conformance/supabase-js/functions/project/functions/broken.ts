throw new Error("only the author may read why");
