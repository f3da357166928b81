import Postgres

/// What should run, what does run, and what the edge was told.
///
/// The API writes `deployments`; the worker writes `endpoints`, `observed_pods`, `app_events` and a deployment's
/// outcome. A change of anything the routing table is made of announces itself on channel `routing`.
enum M0005_CreateDesiredState {
    static let migration = Migration(
        number: 5,
        name: "CreateDesiredState",
        sql: """
            CREATE TABLE deployments (
                uuid uuid PRIMARY KEY,
                app uuid NOT NULL REFERENCES apps (uuid) ON DELETE CASCADE,
                release uuid NOT NULL REFERENCES releases (uuid) ON DELETE CASCADE,
                generation bigint NOT NULL,
                ptypes text[] NOT NULL,
                forced boolean NOT NULL DEFAULT false,
                state text NOT NULL DEFAULT 'pending' CONSTRAINT deployments_state_check
                    CHECK (state IN ('pending', 'running', 'succeed', 'crashed', 'superseded')),
                requested_by text NOT NULL,
                build_run uuid REFERENCES build_runs (uuid) ON DELETE SET NULL,
                exception text,
                created timestamptz NOT NULL DEFAULT now(),
                started timestamptz,
                finished timestamptz
            );
            CREATE UNIQUE INDEX deployments_generation_key ON deployments (app, generation);
            CREATE INDEX deployments_open_index ON deployments (app) WHERE state IN ('pending', 'running');
            CREATE INDEX deployments_release_index ON deployments (release);

            ALTER TABLE apps
                ADD COLUMN live_release uuid REFERENCES releases (uuid) ON DELETE SET NULL,
                ADD COLUMN restarts jsonb NOT NULL DEFAULT '{}';

            CREATE TABLE endpoints (
                pod text NOT NULL,
                port integer NOT NULL,
                app uuid NOT NULL REFERENCES apps (uuid) ON DELETE CASCADE,
                ptype text NOT NULL,
                release integer NOT NULL,
                address text NOT NULL,
                state text NOT NULL CONSTRAINT endpoints_state_check CHECK (state IN ('starting', 'ready', 'draining')),
                updated timestamptz NOT NULL DEFAULT now(),
                PRIMARY KEY (pod, port)
            );
            CREATE INDEX endpoints_app_index ON endpoints (app, ptype);

            CREATE TABLE observed_pods (
                name text PRIMARY KEY,
                app uuid NOT NULL REFERENCES apps (uuid) ON DELETE CASCADE,
                ptype text NOT NULL,
                release integer NOT NULL,
                state text NOT NULL,
                ready boolean NOT NULL DEFAULT false,
                restarts integer NOT NULL DEFAULT 0,
                container text NOT NULL,
                image text NOT NULL,
                command text[] NOT NULL DEFAULT '{}',
                args text[] NOT NULL DEFAULT '{}',
                container_state jsonb NOT NULL DEFAULT '{}',
                last_state jsonb NOT NULL DEFAULT '{}',
                reason text NOT NULL DEFAULT '',
                message text NOT NULL DEFAULT '',
                started timestamptz NOT NULL DEFAULT now(),
                updated timestamptz NOT NULL DEFAULT now(),
                delete_requested boolean NOT NULL DEFAULT false
            );
            CREATE INDEX observed_pods_app_index ON observed_pods (app, started DESC);

            CREATE TABLE app_events (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                app uuid NOT NULL REFERENCES apps (uuid) ON DELETE CASCADE,
                ptype text NOT NULL,
                pod text,
                reason text NOT NULL,
                message text NOT NULL,
                created timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX app_events_app_index ON app_events (app, id);

            CREATE TABLE run_jobs (
                uuid uuid PRIMARY KEY,
                app uuid NOT NULL REFERENCES apps (uuid) ON DELETE CASCADE,
                pod text NOT NULL CONSTRAINT run_jobs_pod_key UNIQUE,
                release uuid NOT NULL REFERENCES releases (uuid) ON DELETE CASCADE,
                ptype text NOT NULL,
                args text[] NOT NULL,
                timeout_seconds integer NOT NULL,
                expires_seconds integer NOT NULL,
                state text NOT NULL DEFAULT 'pending' CONSTRAINT run_jobs_state_check
                    CHECK (state IN ('pending', 'running', 'down', 'crashed')),
                exit_code integer,
                requested_by text NOT NULL,
                created timestamptz NOT NULL DEFAULT now(),
                started timestamptz,
                finished timestamptz
            );
            CREATE INDEX run_jobs_app_index ON run_jobs (app, created DESC);

            CREATE TABLE routing_state (
                singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
                version bigint NOT NULL DEFAULT 0,
                digest bytea NOT NULL DEFAULT '',
                applied_version bigint NOT NULL DEFAULT 0,
                applied timestamptz,
                updated timestamptz NOT NULL DEFAULT now()
            );
            INSERT INTO routing_state DEFAULT VALUES;

            CREATE FUNCTION announce_routing() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_notify('routing', '');
                RETURN NULL;
            END
            $$;
            CREATE TRIGGER apps_announce_routing AFTER INSERT OR DELETE ON apps
                FOR EACH STATEMENT EXECUTE FUNCTION announce_routing();
            CREATE TRIGGER app_settings_announce_routing AFTER INSERT OR UPDATE OR DELETE ON app_settings
                FOR EACH STATEMENT EXECUTE FUNCTION announce_routing();
            CREATE TRIGGER app_tls_announce_routing AFTER INSERT OR UPDATE OR DELETE ON app_tls
                FOR EACH STATEMENT EXECUTE FUNCTION announce_routing();
            CREATE TRIGGER domains_announce_routing AFTER INSERT OR UPDATE OR DELETE ON domains
                FOR EACH STATEMENT EXECUTE FUNCTION announce_routing();
            CREATE TRIGGER endpoints_announce_routing AFTER INSERT OR UPDATE OR DELETE ON endpoints
                FOR EACH STATEMENT EXECUTE FUNCTION announce_routing();
            """)
}
