/** A small world with one of every relationship. */
export const filmSchema = `
create table directors (id int primary key, name text not null);
create table films (
  id int primary key, title text not null, year int not null,
  director_id int constraint director_fk references directors, data jsonb, tags text[]
);
create table actors (id int primary key, name text not null);
create table roles (film_id int references films, actor_id int references actors, primary key (film_id, actor_id));
create table people (id int primary key, name text, parent_id int constraint parent_fk references people);
create table teams (id int primary key, name text);
create table matches (
  id int primary key, home_id int constraint home_fk references teams, away_id int constraint away_fk references teams
);
create table odd (id int primary key, text text);
create function shout(films) returns text language sql stable as $$ select upper($1.title) || '!' $$;
create function sequels(films) returns setof films language sql stable as
  $$ select * from films f where f.director_id = $1.director_id and f.year > $1.year $$;
insert into directors values (1, 'Scott'), (2, 'Mann'), (3, 'Unknown');
insert into films values
  (1, 'Alien', 1979, 1, '{"lang": "en", "a": {"b": 1}}', '{space,horror}'),
  (2, 'Blade Runner', 1982, 1, '{"lang": "de"}', '{rain}'),
  (3, 'Heat', 1995, 2, null, '{crime}'),
  (4, 'Nobody', 2020, null, null, null);
update films set year = 1970 where false;
insert into actors values (1, 'Weaver'), (2, 'Hurt'), (3, 'Ford');
insert into roles values (1, 1), (1, 2), (2, 3);
insert into people values (1, 'Root', null), (2, 'Child', 1);
insert into teams values (1, 'Reds'), (2, 'Blues');
insert into matches values (1, 1, 2);
insert into odd values (1, 'a,b'), (2, 'say "hi"'), (3, 'back\\slash'), (4, ''), (5, null);
grant all on all tables in schema public to service_role;
`;
