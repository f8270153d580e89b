-- Cursors of projections are in DynamoDB (contracts/dynamodb/tables.ts). Nothing is carried over: a projection without a
-- cursor begins at the start of the feed, and rows that are there already are left out by their unique key.
DROP TABLE feed_cursors;
