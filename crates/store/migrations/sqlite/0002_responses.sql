-- What is kept of a response is what was asked and what was answered; its items are read out of them when they are needed.
ALTER TABLE responses DROP COLUMN output;
ALTER TABLE responses RENAME COLUMN request_items TO request;
ALTER TABLE responses RENAME COLUMN body TO answer;
