// Whether an answer begins with the author's next word, or run of signs.
export default ({ completion, row }) =>
  /^\s*([\p{L}\p{N}_$]+|[^\p{L}\p{N}_$\s]+)/u.exec(completion)?.[1] === row.answer ? 1 : 0;
