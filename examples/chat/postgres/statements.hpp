// SPDX-License-Identifier: BSL-1.0
#pragma once

/// What PostgreSQL is told: its tables, and the statements on them.
namespace chat::postgres {

// Run on each new connection. Whoever is first makes the tables; the others wait for that.
inline constexpr char const* set_up = R"(
SET client_min_messages = warning;
SET synchronous_commit = on;
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
SET statement_timeout = '5s';
BEGIN;
SELECT pg_advisory_xact_lock(812406271);
CREATE TABLE IF NOT EXISTS chat_version(version integer NOT NULL);
DO $migrate$
DECLARE
  present integer := coalesce((SELECT max(version) FROM chat_version), 0);
BEGIN
  IF present > 1 THEN RAISE EXCEPTION 'the tables belong to a newer chat_server'; END IF;
  IF present < 1 THEN
    CREATE TABLE chat_channels(
      name text COLLATE "C" PRIMARY KEY,
      epoch text NOT NULL DEFAULT substr(replace(gen_random_uuid()::text, '-', ''), 1, 16),
      seq bigint NOT NULL DEFAULT 0);
    CREATE TABLE chat_messages(
      channel text COLLATE "C" NOT NULL REFERENCES chat_channels, seq bigint NOT NULL, time bigint NOT NULL,
      sender text COLLATE "C" NOT NULL, device text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL,
      body text NOT NULL, PRIMARY KEY (channel, seq), UNIQUE (channel, sender, device, id));
    -- Numbers come in the order of the commits, because the channels stay locked until then; all are locked at once
    -- and in one order, so that no two servers wait for each other. After the lock each statement sees what others
    -- have committed.
    CREATE FUNCTION chat_append(channels text[], senders text[], devices text[], ids text[], bodies text[], now bigint)
    RETURNS TABLE(seq bigint, "time" bigint, fresh boolean, epoch text) LANGUAGE plpgsql AS $append$
    DECLARE
      m record;
    BEGIN
      INSERT INTO chat_channels(name) SELECT DISTINCT name FROM unnest(channels) AS name ORDER BY name
        ON CONFLICT DO NOTHING;
      PERFORM 1 FROM chat_channels c WHERE c.name = ANY(channels) ORDER BY c.name FOR UPDATE;
      FOR m IN SELECT * FROM unnest(channels, senders, devices, ids, bodies) AS i(channel, sender, device, id, body)
      LOOP
        SELECT k.seq, k.time, false, c.epoch INTO seq, "time", fresh, epoch
          FROM chat_messages k JOIN chat_channels c ON c.name = k.channel
          WHERE k.channel = m.channel AND k.sender = m.sender AND k.device = m.device AND k.id = m.id;
        IF NOT FOUND THEN
          UPDATE chat_channels c SET seq = c.seq + 1 WHERE c.name = m.channel
            RETURNING c.seq, now, true, c.epoch INTO seq, "time", fresh, epoch;
          INSERT INTO chat_messages VALUES (m.channel, seq, now, m.sender, m.device, m.id, m.body);
        END IF;
        RETURN NEXT;
      END LOOP;
    END $append$;
    INSERT INTO chat_version VALUES (1);
  END IF;
END $migrate$;
COMMIT;
)";

struct statement {
  char const* name;
  char const* sql;
};
inline constexpr statement append{"append", "SELECT seq, time, fresh, epoch FROM chat_append($1, $2, $3, $4, $5, $6)"};
inline constexpr statement forget_many{"forget_many",
                                       "DELETE FROM chat_messages WHERE channel = $1 AND seq <="
                                       " (SELECT seq - $2 FROM chat_channels WHERE name = $1)"};
// By their order, and not by their time alone: a clock may go back, and what is left must have no holes.
inline constexpr statement forget_old{"forget_old",
                                      "DELETE FROM chat_messages WHERE channel = $1 AND seq < coalesce((SELECT seq"
                                      " FROM chat_messages WHERE channel = $1 AND time >= $2 ORDER BY seq LIMIT 1),"
                                      " 9223372036854775807)"};
inline constexpr statement make{"make", "INSERT INTO chat_channels(name) VALUES ($1) ON CONFLICT DO NOTHING"};
// One statement, so that the channel and its messages are of the same moment.
inline constexpr statement later{"later",
                                 "SELECT c.epoch, c.seq, m.seq, m.time, m.sender, m.id, m.body FROM chat_channels c"
                                 " LEFT JOIN LATERAL (SELECT * FROM chat_messages WHERE channel = c.name AND seq > $2"
                                 " ORDER BY seq LIMIT $3) m ON true WHERE c.name = $1 ORDER BY m.seq"};
inline constexpr statement earlier{"earlier",
                                   "SELECT c.epoch, c.seq, m.seq, m.time, m.sender, m.id, m.body FROM chat_channels c"
                                   " LEFT JOIN LATERAL (SELECT * FROM chat_messages WHERE channel = c.name AND seq < $2"
                                   " ORDER BY seq DESC LIMIT $3) m ON true WHERE c.name = $1 ORDER BY m.seq"};

inline constexpr statement heads{"heads",
                                 "SELECT asked.name, c.epoch, c.seq"
                                 " FROM unnest($1::text[]) WITH ORDINALITY AS asked(name, nth)"
                                 " LEFT JOIN chat_channels c ON c.name = asked.name ORDER BY asked.nth"};

}  // namespace chat::postgres
