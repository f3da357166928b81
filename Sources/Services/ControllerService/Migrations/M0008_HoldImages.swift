import Postgres

/// Which releases the registry was told to keep the images of, and whose images it may let go.
///
/// A release is inserted with its images not held yet, so the wish to hold them is part of the transaction that makes
/// the release, and releases of before are found as well. `abandoned_images` names repositories of destroyed apps.
/// Either announces itself on channel `image_holds`.
enum M0008_HoldImages {
    static let migration = Migration(
        number: 8,
        name: "HoldImages",
        sql: """
            ALTER TABLE releases ADD COLUMN images_held boolean NOT NULL DEFAULT false;
            CREATE INDEX releases_unheld_index ON releases (created) WHERE NOT images_held AND build IS NOT NULL;

            CREATE TABLE abandoned_images (
                app text PRIMARY KEY,
                created timestamptz NOT NULL DEFAULT now()
            );

            CREATE FUNCTION announce_image_holds() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_notify('image_holds', '');
                RETURN NULL;
            END
            $$;
            CREATE TRIGGER releases_announce_image_holds AFTER INSERT ON releases
                FOR EACH ROW WHEN (NEW.build IS NOT NULL) EXECUTE FUNCTION announce_image_holds();
            CREATE TRIGGER abandoned_images_announce AFTER INSERT ON abandoned_images
                FOR EACH STATEMENT EXECUTE FUNCTION announce_image_holds();
            """)
}
