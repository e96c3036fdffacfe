// Package object reads and writes objects by URL: s3://BUCKET/KEY (Amazon's S3
// and servers that speak as it does), gs://BUCKET/KEY (Google Cloud Storage),
// azblob://CONTAINER/KEY (Azure Blob Storage) and file:///PATH. It is a module of
// its own because the clients of the three weigh more than the rest of mayfly;
// the program mayfly-object beside it brings it to mayfly ingest.
//
//	store := object.NewStore()
//	defer store.Close()
//	for info, err := range store.List(ctx, "s3://logs/2026/11/") {
//		…
//		o, err := store.Open(ctx, info.URL)
//		_, err = io.Copy(w, o.NewReader(ctx, 0, -1))
//	}
//
// Credentials and places come from where each vendor's own tools look for them:
// AWS_ACCESS_KEY_ID, AWS_PROFILE, ~/.aws, AWS_ENDPOINT_URL_S3; the file of
// GOOGLE_APPLICATION_CREDENTIALS, STORAGE_EMULATOR_HOST; AZURE_STORAGE_ACCOUNT
// with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN; and the identity of the
// machine, where it has one. What follows a ? in a URL are options of
// gocloud.dev/blob, such as region, endpoint and use_path_style of s3.
package object
