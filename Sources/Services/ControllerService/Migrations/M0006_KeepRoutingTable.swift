import Postgres

/// The routing table as rows, so that one app's change costs that app's hosts and not everybody's.
///
/// Triggers note the apps whose hosts may lead somewhere else now; making the table again looks at those alone and
/// gives each host it changes the new version. A host that went away stays as a removed row for a while, so that a
/// router can be told. `platform_domain` is the domain the rows were made for; another one makes all of them again.
enum M0006_KeepRoutingTable {
    static let migration = Migration(
        number: 6,
        name: "KeepRoutingTable",
        sql: """
            ALTER TABLE routing_state ADD COLUMN platform_domain text NOT NULL DEFAULT '';

            CREATE TABLE routing_hosts (
                host text PRIMARY KEY,
                owner uuid NOT NULL,
                app text NOT NULL,
                state text NOT NULL CONSTRAINT routing_hosts_state_check
                    CHECK (state IN ('serving', 'no_process', 'maintenance')),
                https text NOT NULL CONSTRAINT routing_hosts_https_check
                    CHECK (https IN ('optional', 'enforced', 'off')),
                addresses text[] NOT NULL,
                ports integer[] NOT NULL,
                removed boolean NOT NULL DEFAULT false,
                version bigint NOT NULL
            );
            CREATE INDEX routing_hosts_version_index ON routing_hosts (version);
            CREATE INDEX routing_hosts_owner_index ON routing_hosts (owner);

            CREATE TABLE routing_dirty (app uuid NOT NULL);

            CREATE FUNCTION note_routing() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP <> 'INSERT' THEN
                    INSERT INTO routing_dirty VALUES (OLD.app);
                END IF;
                IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND NEW.app <> OLD.app THEN
                    INSERT INTO routing_dirty VALUES (NEW.app);
                END IF;
                RETURN NULL;
            END
            $$;
            CREATE FUNCTION note_routing_app() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                INSERT INTO routing_dirty VALUES (coalesce(NEW.uuid, OLD.uuid));
                RETURN NULL;
            END
            $$;
            CREATE TRIGGER apps_note_routing AFTER INSERT OR DELETE ON apps
                FOR EACH ROW EXECUTE FUNCTION note_routing_app();
            CREATE TRIGGER app_settings_note_routing AFTER INSERT OR UPDATE OR DELETE ON app_settings
                FOR EACH ROW EXECUTE FUNCTION note_routing();
            CREATE TRIGGER app_tls_note_routing AFTER INSERT OR UPDATE OR DELETE ON app_tls
                FOR EACH ROW EXECUTE FUNCTION note_routing();
            CREATE TRIGGER domains_note_routing AFTER INSERT OR UPDATE OR DELETE ON domains
                FOR EACH ROW EXECUTE FUNCTION note_routing();
            CREATE TRIGGER endpoints_note_routing AFTER INSERT OR UPDATE OR DELETE ON endpoints
                FOR EACH ROW EXECUTE FUNCTION note_routing();
            """)
}
