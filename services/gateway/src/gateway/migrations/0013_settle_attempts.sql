-- A login counts as failed before it is tried. While it is still being tried it is pending: whoever
-- comes next waits for its outcome instead of being locked out by it.
alter table login_failures
    add column id bigint generated always as identity primary key,
    add column pending boolean not null default false;
