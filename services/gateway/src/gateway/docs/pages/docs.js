// The viewer's start, in a file of its own: the content security policy allows no inline script.
"use strict";

window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#documentation",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // A token stays in this page's memory and is gone with it.
  persistAuthorization: false,
  // No badge from a validator on the internet.
  validatorUrl: null,
});
