-- Whether a key's calls are kept with their content: 'yes', 'no', or '' as its team or [content] says. The content itself lies
-- elsewhere: in a file of its own, or in tables that are made when they are first needed (migrations/content_postgres).
ALTER TABLE virtual_key ADD COLUMN store_content TEXT COLLATE "C" NOT NULL DEFAULT '';
