import Postgres

/// Apps with their builds, configs, releases, settings, domains and services.
///
/// A config's values and registry passwords are sealed;
/// `generation` counts every change of what an app should look like.
enum M0003_CreateApps {
    static let migration = Migration(
        number: 3,
        name: "CreateApps",
        sql: """
            CREATE SEQUENCE app_uid AS integer;
            CREATE TABLE apps (
                uuid uuid PRIMARY KEY,
                id text NOT NULL CONSTRAINT apps_id_key UNIQUE,
                uid integer NOT NULL DEFAULT nextval('app_uid') CONSTRAINT apps_uid_key UNIQUE,
                workspace uuid NOT NULL REFERENCES workspaces (uuid),
                structure jsonb NOT NULL DEFAULT '{}',
                generation bigint NOT NULL DEFAULT 1,
                observed_generation bigint NOT NULL DEFAULT 0,
                created timestamptz NOT NULL DEFAULT now(),
                updated timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX apps_workspace_index ON apps (workspace, id);

            CREATE TABLE destroyed_apps (
                uuid uuid PRIMARY KEY,
                id text NOT NULL CONSTRAINT destroyed_apps_id_key UNIQUE,
                destroyed_by text NOT NULL,
                created timestamptz NOT NULL DEFAULT now()
            );

            CREATE TABLE builds (
                uuid uuid PRIMARY KEY,
                app uuid NOT NULL REFERENCES apps (uuid) ON DELETE CASCADE,
                image text NOT NULL,
                stack text NOT NULL,
                sha text NOT NULL DEFAULT '',
                procfile jsonb NOT NULL DEFAULT '{}',
                dryccfile jsonb NOT NULL DEFAULT '{}',
                dockerfile text NOT NULL DEFAULT '',
                port integer,
                size bigint,
                created timestamptz NOT NULL DEFAULT now(),
                updated timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX builds_app_index ON builds (app, created DESC);

            CREATE TABLE configs (
                uuid uuid PRIMARY KEY,
                app uuid NOT NULL REFERENCES apps (uuid) ON DELETE CASCADE,
                sealed bytea NOT NULL,
                sealed_key_id text NOT NULL,
                values_refs jsonb NOT NULL DEFAULT '{}',
                limits jsonb NOT NULL DEFAULT '{}',
                termination_grace_period jsonb NOT NULL DEFAULT '{}',
                tags jsonb NOT NULL DEFAULT '{}',
                healthcheck jsonb NOT NULL DEFAULT '{}',
                lifecycle jsonb NOT NULL DEFAULT '{}',
                created timestamptz NOT NULL DEFAULT now(),
                updated timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX configs_app_index ON configs (app, created DESC);

            CREATE TABLE releases (
                uuid uuid PRIMARY KEY,
                app uuid NOT NULL REFERENCES apps (uuid) ON DELETE CASCADE,
                version integer NOT NULL,
                state text NOT NULL DEFAULT 'created'
                    CONSTRAINT releases_state_check CHECK (state IN ('created', 'succeed', 'crashed')),
                summary text NOT NULL,
                failed boolean NOT NULL DEFAULT false,
                exception text,
                conditions jsonb NOT NULL DEFAULT '[]',
                deployed_ptypes text[] NOT NULL DEFAULT '{}',
                config uuid NOT NULL REFERENCES configs (uuid),
                build uuid REFERENCES builds (uuid),
                created timestamptz NOT NULL DEFAULT now(),
                updated timestamptz NOT NULL DEFAULT now(),
                CONSTRAINT releases_version_key UNIQUE (app, version)
            );
            CREATE INDEX releases_config_index ON releases (config);
            CREATE INDEX releases_build_index ON releases (build);

            CREATE TABLE app_settings (
                uuid uuid PRIMARY KEY,
                app uuid NOT NULL REFERENCES apps (uuid) ON DELETE CASCADE,
                routable boolean NOT NULL DEFAULT true,
                autodeploy boolean NOT NULL DEFAULT true,
                autorollback boolean NOT NULL DEFAULT true,
                autoscale jsonb NOT NULL DEFAULT '{}',
                label jsonb NOT NULL DEFAULT '{}',
                sequence bigint GENERATED ALWAYS AS IDENTITY,
                created timestamptz NOT NULL DEFAULT now(),
                updated timestamptz NOT NULL DEFAULT now()
            );
            CREATE UNIQUE INDEX app_settings_newest_key ON app_settings (app, sequence DESC);

            CREATE TABLE app_tls (
                uuid uuid PRIMARY KEY,
                app uuid NOT NULL CONSTRAINT app_tls_app_key UNIQUE REFERENCES apps (uuid) ON DELETE CASCADE,
                https_enforced boolean,
                certs_auto_enabled boolean,
                issuer_sealed bytea NOT NULL,
                issuer_key_id text NOT NULL,
                created timestamptz NOT NULL DEFAULT now(),
                updated timestamptz NOT NULL DEFAULT now()
            );

            CREATE TABLE domains (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                app uuid NOT NULL REFERENCES apps (uuid) ON DELETE CASCADE,
                domain text NOT NULL CONSTRAINT domains_domain_key UNIQUE,
                ptype text NOT NULL,
                created timestamptz NOT NULL DEFAULT now(),
                updated timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX domains_app_index ON domains (app, domain);

            CREATE TABLE app_services (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                app uuid NOT NULL REFERENCES apps (uuid) ON DELETE CASCADE,
                ptype text NOT NULL,
                ports jsonb NOT NULL DEFAULT '[]',
                created timestamptz NOT NULL DEFAULT now(),
                updated timestamptz NOT NULL DEFAULT now(),
                CONSTRAINT app_services_ptype_key UNIQUE (app, ptype)
            );
            """)
}
