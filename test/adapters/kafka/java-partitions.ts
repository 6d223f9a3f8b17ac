/** The partitions that Java's client chose for these keys on topics of 4, 7 and 12 partitions. */
export const javaPartitions: Readonly<Record<string, readonly [number, number, number]>> = {
  a: [0, 5, 4],
  "order-1": [2, 4, 10],
  "order-2": [3, 1, 3],
  "cart:42": [0, 6, 0],
  "user-7": [0, 2, 8],
  ключ: [0, 4, 8],
  日本: [3, 1, 3],
  "21": [0, 3, 0],
  "": [1, 2, 9],
};
