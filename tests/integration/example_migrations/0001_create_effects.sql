CREATE TABLE effects (job text NOT NULL, fence bigint NOT NULL, pid integer NOT NULL);
