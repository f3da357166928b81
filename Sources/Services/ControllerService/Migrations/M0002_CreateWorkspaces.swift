import Postgres

/// Workspaces own apps; people belong to them with a role and join by invitation.
enum M0002_CreateWorkspaces {
    static let migration = Migration(
        number: 2,
        name: "CreateWorkspaces",
        sql: """
            CREATE SEQUENCE workspace_uid AS integer;
            CREATE TABLE workspaces (
                uuid uuid PRIMARY KEY,
                id text NOT NULL CONSTRAINT workspaces_id_key UNIQUE,
                uid integer NOT NULL DEFAULT nextval('workspace_uid') CONSTRAINT workspaces_uid_key UNIQUE,
                email text NOT NULL,
                created timestamptz NOT NULL DEFAULT now(),
                updated timestamptz NOT NULL DEFAULT now()
            );

            CREATE TABLE workspace_members (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                workspace uuid NOT NULL REFERENCES workspaces (uuid) ON DELETE CASCADE,
                owner bigint NOT NULL REFERENCES users (id),
                role text NOT NULL CONSTRAINT workspace_members_role_check \
            CHECK (role IN ('admin', 'member', 'viewer')),
                alerts boolean NOT NULL DEFAULT true,
                created timestamptz NOT NULL DEFAULT now(),
                updated timestamptz NOT NULL DEFAULT now(),
                CONSTRAINT workspace_members_owner_key UNIQUE (workspace, owner)
            );
            CREATE INDEX workspace_members_owner_index ON workspace_members (owner);

            CREATE TABLE workspace_invitations (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                workspace uuid NOT NULL REFERENCES workspaces (uuid) ON DELETE CASCADE,
                email text NOT NULL,
                token text NOT NULL CONSTRAINT workspace_invitations_token_key UNIQUE,
                inviter bigint NOT NULL REFERENCES users (id),
                accepted boolean NOT NULL DEFAULT false,
                created timestamptz NOT NULL DEFAULT now()
            );
            CREATE UNIQUE INDEX workspace_invitations_email_key ON workspace_invitations (workspace, lower(email));
            CREATE INDEX workspace_invitations_accepted_index ON workspace_invitations (lower(email)) WHERE accepted;
            """)
}
