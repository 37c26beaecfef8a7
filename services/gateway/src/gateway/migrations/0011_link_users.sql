-- Whether a user of ours was linked to a person at the provider by hand. Whom the provider made known
-- by a login has the roles of the groups there; who was linked keeps the roles given here.
alter table users
    add column oidc_linked boolean not null default false,
    add check (oidc_subject is not null or not oidc_linked);
