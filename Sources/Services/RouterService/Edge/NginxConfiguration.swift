/// Renders the static part of the edge: listeners, platform hosts, limits, logs. A pure function of its settings.
package struct NginxConfiguration {
    private let settings: EdgeSettings

    package init(_ settings: EdgeSettings) { self.settings = settings }

    package func render() -> String {
        ([processSection, httpSection, appPools] + settings.platformHosts.enumerated().map(platformPool)
            + [controlServer, appServer] + settings.platformHosts.enumerated().map(platformServer) + ["}\n"])
            .joined(separator: "\n")
    }

    private var paths: EdgePaths { settings.paths }

    private var processSection: String {
        """
        # Written by the router at its start; changes here are overwritten.
        load_module /usr/lib/nginx/modules/ndk_http_module.so;
        load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
        \(settings.workerUser.map { "user \($0);" } ?? "# workers run as the router's own user")
        worker_processes \(settings.workers);
        worker_shutdown_timeout 30s;
        pid \(NginxText.quoted(paths.processID));
        error_log \(NginxText.quoted(paths.errorLog)) error;
        events { worker_connections \(settings.workerConnections); }

        """
    }

    private var httpSection: String {
        """
        http {
            lua_package_path "/usr/share/lua/5.1/?.lua;\(paths.scriptDirectory)/?.lua;;";
            lua_shared_dict edge_hosts 32m;
            lua_shared_dict edge_certificates 32m;
            lua_shared_dict edge_failures 1m;
            lua_shared_dict edge_counters 1m;
            init_by_lua_block { require("edge").start(\(NginxText.quoted(paths.records))) }

            log_format edge escape=json '{"time":"$time_iso8601","request.id":"$request_id","app":"$edge_app",'
                '"host":"$host","client":"$remote_addr","method":"$request_method","path":"$uri",'
                '"protocol":"$server_protocol","tls":"$ssl_protocol","status":$status,"bytes":$bytes_sent,'
                '"duration":$request_time,"reason":"$edge_reason","backend":"$upstream_addr",'
                '"backend.status":"$upstream_status","backend.duration":"$upstream_response_time",'
                '"agent":"$http_user_agent"}';
            access_log \(NginxText.quoted(settings.accessLogPath)) edge;

            server_tokens off;
            default_type application/octet-stream;
            client_body_temp_path \(NginxText.quoted("\(paths.temporary)/body"));
            proxy_temp_path \(NginxText.quoted("\(paths.temporary)/proxy"));
            fastcgi_temp_path \(NginxText.quoted("\(paths.temporary)/fastcgi"));
            uwsgi_temp_path \(NginxText.quoted("\(paths.temporary)/uwsgi"));
            scgi_temp_path \(NginxText.quoted("\(paths.temporary)/scgi"));
            server_names_hash_bucket_size 256;
            variables_hash_max_size 2048;
            client_header_timeout \(settings.headerTimeout)s;
            client_body_timeout 60s;
            send_timeout 60s;
            keepalive_timeout 75s;
            large_client_header_buffers 4 32k;
            tcp_nodelay on;


        """ + backendSection + tlsSection
    }

    /// How requests go to backends, whichever server took them.
    private var backendSection: String {
        """
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_buffer_size 32k;
            proxy_buffers 8 32k;
            proxy_busy_buffers_size 64k;
            proxy_connect_timeout \(settings.connectTimeout)s;
            proxy_next_upstream error timeout;
            proxy_next_upstream_tries 3;
            proxy_next_upstream_timeout 10s;
            proxy_redirect off;
            proxy_set_header Host $edge_host;
            proxy_set_header Connection $edge_connection;
            proxy_set_header Upgrade $edge_upgrade;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Request-Id $request_id;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Port $server_port;
            proxy_set_header X-Forwarded-Host $edge_host;
            proxy_set_header X-Forwarded-Server "";
            proxy_set_header X-Forwarded-Prefix "";
            proxy_set_header X-Forwarded-Ssl "";
            proxy_set_header Forwarded "";
            proxy_set_header Proxy "";


        """
    }

    private var tlsSection: String {
        """
            ssl_protocols TLSv1.2 TLSv1.3;
            ssl_prefer_server_ciphers off;
            ssl_session_cache shared:edge_tls:10m;
            ssl_session_timeout 1h;

        """
    }

    /// Two pools over the same backends: a request nginx may not repeat never goes over a kept connection.
    private var appPools: String {
        """
            upstream edge_kept {
                server 0.0.0.1;
                balancer_by_lua_block { require("edge").balance(\(settings.connectTimeout)) }
                keepalive 256;
                keepalive_timeout 30s;
            }
            upstream edge_fresh {
                server 0.0.0.1;
                balancer_by_lua_block { require("edge").balance(\(settings.connectTimeout)) }
            }

        """
    }

    private func platformPool(_ index: Int, _ host: EdgeSettings.PlatformHost) -> String {
        "    upstream platform_\(index) { server \(host.address) max_fails=0; }\n"
    }

    private var controlServer: String {
        """
            server {
                listen \(NginxText.quoted("unix:\(paths.controlSocket)"));
                access_log off;
                set $edge_app "";
                set $edge_reason "";
                client_body_buffer_size 32m;
                client_max_body_size 32m;
                location = /table { content_by_lua_block { require("edge").table() } }
                location = /metrics { content_by_lua_block { require("edge").metrics() } }
                location / { return 404; }
            }

        """
    }

    private func listeners(isDefault: Bool) -> String {
        let suffix = isDefault ? " default_server" : ""
        var lines = settings.bindAddresses.map { "        listen \($0):\(settings.httpPort)\(suffix);" }
        if let certificate = settings.certificate {
            lines += settings.bindAddresses.map { "        listen \($0):\(settings.httpsPort) ssl http2\(suffix);" }
            lines += [
                "        # default certificate \(certificate.fingerprint)",
                "        ssl_certificate \(NginxText.quoted(certificate.chainPath));",
                "        ssl_certificate_key \(NginxText.quoted(certificate.keyPath));",
            ]
            if isDefault {
                lines.append("        ssl_certificate_by_lua_block { require(\"edge\").certificate() }")
            }
        }
        return lines.joined(separator: "\n")
    }

    /// - Parameter app: what the log shows as the app until a request is routed to one.
    private func commonDirectives(app: String) -> String {
        """
                set $edge_app "\(app)";
                set $edge_reason "";
                set $edge_host "";
                set $edge_pool "edge_fresh";
                set $edge_connection "close";
                set $edge_upgrade "";
                add_header X-Request-Id $request_id always;
                error_page 502 504 @failed;
                error_page 413 @too_large;
                error_page 494 @large_headers;
                location @failed { content_by_lua_block { require("edge").failed() } }
                location @too_large { content_by_lua_block { require("edge").page("too_large") } }
                location @large_headers { content_by_lua_block { require("edge").page("large_headers") } }
        """
    }

    private var appServer: String {
        let https = settings.certificate == nil ? "nil" : "\(settings.httpsPort)"
        return """
                server {
            \(listeners(isDefault: true))
                    server_name _;
            \(commonDirectives(app: ""))
                    client_max_body_size \(settings.bodyLimitMiB)m;
                    log_by_lua_block { require("edge").count("app") }
                    location / {
                        access_by_lua_block { require("edge").route(\(https)) }
                        proxy_read_timeout \(settings.responseTimeout)s;
                        proxy_send_timeout \(settings.responseTimeout)s;
                        proxy_pass http://$edge_pool;
                    }
                }

            """
    }

    private func platformServer(_ index: Int, _ host: EdgeSettings.PlatformHost) -> String {
        """
            server {
        \(listeners(isDefault: false))
                server_name \(host.host);
        \(commonDirectives(app: "platform"))
                client_max_body_size \(settings.platformBodyLimitMiB)m;
                log_by_lua_block { require("edge").count("platform") }
                location ~* "^/(metrics|readiness|v2/(hooks|platform))(/|$)" {
                    access_by_lua_block { require("edge").page("not_found") }
                }
                location / {
                    access_by_lua_block { require("edge").platform() }
                    proxy_read_timeout 3600s;
                    proxy_send_timeout 3600s;
                    proxy_pass http://platform_\(index);
                }
            }

        """
    }
}
