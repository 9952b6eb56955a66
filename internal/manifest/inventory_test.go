package manifest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	. "github.com/drover-batch/drover/internal/manifest"
)

const dataKey = "cos_bucket_inventory/1250000000/photos/daily01/6f1c0b2e8b0d4e6a9d0f1a2b3c4d5e6f.csv.gz"

// newLayout is a manifest.json as COS writes it today, for one data file.
func newLayout(data []byte) string {
	return fmt.Sprintf(`{"sourceAppid": "1250000000", "sourceBucket": "photos",
  "destinationAppid": "1250000000", "destinationBucket": "lists", "fileFormat": "CSV",
  "listObjectCount": "2", "listStorageSize": "4096", "filterObjectCount": "2", "filterStorageSize": "4096",
  "fileSchema": "Appid, Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, ReplicationStatus",
  "files": [{"key": %q, "size": "%d", "md5Checksum": "%s"}]}`, dataKey, len(data), etagOf(data))
}

// oldLayout is one of 2019, for plain data.
func oldLayout(data []byte) string {
	return fmt.Sprintf(`{"sourceBucket":"photos-1250000000","destinationBucket":"lists-1250000000","fileFormat":"CSV",
  "fileSchema":"Bucket, Key, Size, StorageClass, ETag, ReplicationStatus, MultipartUploaded, LastModifiedDate, VersionId, IsLatest, IsDeleteMarker",
  "files":[{"key":%q,"size":%d,"MD5checksum":"%s"}]}`, dataKey, len(data), strings.ToUpper(etagOf(data)))
}

// s3Layout is one as S3 writes it (AWS S3 user guide, "Inventory manifest").
func s3Layout(data []byte) string {
	return fmt.Sprintf(`{"sourceBucket": "photos-1250000000", "destinationBucket": "arn:aws:s3:::lists-1250000000",
  "version": "2016-11-30", "creationTimestamp": "1514944800000", "fileFormat": "CSV",
  "fileSchema": "Bucket, Key, Size, StorageClass, ETag, ReplicationStatus, IsMultipartUploaded, LastModifiedDate, VersionId, IsLatest, IsDeleteMarker",
  "files": [{"key": %q, "size": %d, "MD5checksum": "%s"}]}`, dataKey, len(data), etagOf(data))
}

const newRows = `"1250000000","photos","a+b%2Bc%2Fd","v1","True","False","7","2024-03-01T00:00:00Z","""e1""","STANDARD","True",""
"1250000000","photos","gone","v2","True","True","","2024-03-01T00:00:00Z","","","",""
1250000000,photos-1250000000,old,null,,false,123456789012,2024-03-01T00:00:00Z,e3,ARCHIVE,,
`

const oldRows = `photos-1250000000,a+b%2Bc%2Fd,7,STANDARD,e1,,True,2020,v1,True,False
photos-1250000000,gone,,,,,,2020,v2,True,TRUE
photos-1250000000,old,123456789012,ARCHIVE,e3,,,2020,null,,
`

var inventoryEntries = []job.Entry{
	{Row: 0, Bucket: "photos-1250000000", Key: "a b+c/d", Version: "v1", Size: 7, ETag: "e1", Class: "STANDARD"},
	{Row: 1, Bucket: "photos-1250000000", Key: "gone", Version: "v2", DeleteMarker: true},
	{Row: 2, Bucket: "photos-1250000000", Key: "old", Version: "null", Size: 123456789012, ETag: "e3", Class: "ARCHIVE"},
}

func TestInventoryLayouts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		data     []byte
		manifest func([]byte) string
	}{
		{"new", gzipped(t, newRows), newLayout},
		{"new, plain", []byte(newRows), newLayout},
		{"old", gzipped(t, oldRows), oldLayout},
		{"old, plain", []byte(oldRows), oldLayout},
		{"S3", gzipped(t, oldRows), s3Layout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for rows := range 4 {
				s := newStore()
				s.files[dataKey] = tt.data
				got, err := all(t, s, s.inventory(tt.manifest(tt.data)), Options{ChunkRows: rows})
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(inventoryEntries, got); d != "" {
					t.Errorf("-want +got:\n%s", d)
				}
			}
		})
	}
}

// S3 leaves the id of the null version empty in a list of all versions (AWS S3 user guide, "Converting empty version ID
// strings in Amazon S3 Inventory reports to null strings"). Taken for the latest, it would be another object.
func TestListsOfAllVersionsNameTheNullVersionByNothing(t *testing.T) {
	t.Parallel()
	const rows = `photos-1250000000,k,7,STANDARD,e2,,False,2024,v2,true,false
photos-1250000000,k,5,STANDARD,e1,,False,2020,,false,false
photos-1250000000,whole,3,STANDARD,e3,,False,2020,"",true,false
photos-1250000000,gone,,,,,,2020,,true,true
`
	want := []job.Entry{
		{Row: 0, Bucket: "photos-1250000000", Key: "k", Version: "v2", Size: 7, ETag: "e2", Class: "STANDARD"},
		{Row: 1, Bucket: "photos-1250000000", Key: "k", Version: "null", Size: 5, ETag: "e1", Class: "STANDARD"},
		{Row: 2, Bucket: "photos-1250000000", Key: "whole", Version: "null", Size: 3, ETag: "e3", Class: "STANDARD"},
		{Row: 3, Bucket: "photos-1250000000", Key: "gone", Version: "null", DeleteMarker: true},
	}
	of := func(t *testing.T, manifest string, data []byte) []job.Entry {
		t.Helper()
		s := newStore()
		s.files[dataKey] = data
		got, err := all(t, s, s.inventory(manifest), Options{ChunkRows: 3})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for name, data := range map[string][]byte{"plain": []byte(rows), "gzip": gzipped(t, rows)} {
		if d := cmp.Diff(want, of(t, s3Layout(data), data)); d != "" {
			t.Errorf("%s: -want +got:\n%s", name, d)
		}
	}
	// A list of current versions says nothing of others: the latest is meant.
	data := []byte(rows)
	for _, e := range of(t, strings.Replace(s3Layout(data), "IsLatest", "Other", 1), data)[1:] {
		if e.Version != "" {
			t.Errorf("without IsLatest: %+v", e)
		}
	}
}

func TestInventoryVariants(t *testing.T) {
	t.Parallel()
	survey := func(t *testing.T, body string, data []byte) *Plan {
		t.Helper()
		s := newStore()
		s.files[dataKey] = data
		p, err := Survey(t.Context(), s, s.inventory(body), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	data := []byte(newRows)
	t.Run("full destination bucket", func(t *testing.T) {
		survey(t, strings.Replace(newLayout(data), `"lists"`, `"lists-1250000000"`, 1), data)
	})
	t.Run("no destination bucket: the manifest's own", func(t *testing.T) {
		survey(t, strings.Replace(newLayout(data), `"lists"`, `""`, 1), data)
	})
	t.Run("no MD5", func(t *testing.T) {
		survey(t, strings.Replace(newLayout(data), etagOf(data), "", 1), data)
	})
	t.Run("no size", func(t *testing.T) {
		survey(t, strings.Replace(newLayout(data), fmt.Sprintf(`"%d"`, len(data)), "null", 1), data)
	})
	t.Run("BOM", func(t *testing.T) { survey(t, "\xef\xbb\xbf"+newLayout(data), data) })
	t.Run("appid in manifest.json only", func(t *testing.T) {
		data := []byte("photos,k\n")
		body := newLayout(data)
		from, to := strings.Index(body, "Appid, Bucket"), strings.Index(body, `ReplicationStatus",`)
		p := survey(t, body[:from]+"Bucket, Key"+body[to+len("ReplicationStatus"):], data)
		if len(p.Buckets) != 1 || p.Buckets[0].Bucket != "photos-1250000000" {
			t.Errorf("buckets %+v", p.Buckets)
		}
	})
	t.Run("plus stays when asked", func(t *testing.T) {
		s, no := newStore(), false
		s.files[dataKey] = data
		for e, err := range Rows(t.Context(), s, s.inventory(newLayout(data)), Options{PlusSpace: &no}) {
			if err != nil || e.Key != "a+b+c/d" {
				t.Errorf("%v, %+v", err, e)
			}
			break
		}
	})
}

func TestInventoryFaults(t *testing.T) {
	t.Parallel()
	data := []byte(newRows)
	good := newLayout(data)
	const manifest, file = "lists-1250000000/inv/manifest.json", "lists-1250000000/" + dataKey
	replace := func(old, with string) string {
		out := strings.Replace(good, old, with, 1)
		if out == good {
			panic(old + " is not in it")
		}
		return out
	}
	for _, tt := range []struct {
		name string
		body string
		want Error
	}{
		{"not JSON", newRows, Error{Code: CodeInvalidContent, File: manifest}},
		{"gzip", string(gzipped(t, newRows)), Error{Code: CodeInvalidContent, File: manifest}},
		{"ORC", replace(`"CSV"`, `"ORC"`), Error{Code: CodeInvalidContent, File: manifest, Field: "fileFormat"}},
		{"no schema", replace(`"fileSchema"`, `"x"`), Error{Code: CodeUnknownColumn, File: manifest, Field: "fileSchema"}},
		{"key twice", replace(`VersionId`, `key`), Error{Code: CodeUnknownColumn, File: manifest, Field: "fileSchema"}},
		{"no files", replace(`"files"`, `"x"`), Error{Code: CodeEmpty, File: manifest}},
		{"bad size", replace(fmt.Sprintf(`"%d"`, len(data)), `"12x"`), Error{Code: CodeInvalidContent, File: manifest}},
		{"bad MD5", replace(etagOf(data), "12"), Error{Code: CodeInvalidContent, File: manifest, Field: "files[0].md5Checksum"}},
		{"no key", replace(dataKey, ""), Error{Code: CodeInvalidContent, File: manifest, Field: "files[0].key"}},
		{"missing file", replace(dataKey, "gone.csv"), Error{Code: CodeUnreadable, File: "lists-1250000000/gone.csv"}},
		{"another size", replace(fmt.Sprintf(`"%d"`, len(data)), `1`), Error{Code: CodeFileChanged, File: file}},
		{"another MD5", replace(etagOf(data), etagOf(nil)), Error{Code: CodeFileChanged, File: file}},
		{"rows of fewer columns", replace("IsMultipartUploaded, ", "IsMultipartUploaded, Crc64, "), Error{Code: CodeInvalidContent, File: file, Row: 1}},
		{"rows of more columns", replace("IsMultipartUploaded, ", ""), Error{Code: CodeInvalidContent, File: file, Row: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore()
			s.files[dataKey] = data
			_, err := Survey(t.Context(), s, s.inventory(tt.body), Options{})
			checkError(t, err, tt.want)
		})
	}
	t.Run("size of a row", func(t *testing.T) {
		t.Parallel()
		data := []byte(strings.Replace(newRows, "123456789012", "12 GB", 1))
		s := newStore()
		s.files[dataKey] = data
		_, err := Survey(t.Context(), s, s.inventory(newLayout(data)), Options{})
		checkError(t, err, Error{Code: CodeInvalidContent, File: file, Row: 3, Field: "Size"})
	})
}

func TestLocalInventory(t *testing.T) {
	t.Parallel()
	data := gzipped(t, newRows)
	write := func(t *testing.T, path string, b []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(t *testing.T, path string) error {
		t.Helper()
		got, err := all(t, Local{}, job.Manifest{Format: job.FormatInventory, Location: job.Location{Path: path}}, Options{})
		if err != nil {
			return err
		}
		if d := cmp.Diff(inventoryEntries, got); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		return nil
	}
	const folder = "cos_bucket_inventory/1250000000/photos/daily01/20240301/manifest.json"

	t.Run("a bucket downloaded as a whole", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, dataKey), data)
		write(t, filepath.Join(dir, folder), []byte(newLayout(data)))
		if err := read(t, filepath.Join(dir, folder)); err != nil {
			t.Error(err)
		}
	})
	t.Run("side by side", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, filepath.Base(dataKey)), data)
		write(t, filepath.Join(dir, "manifest.json"), []byte(newLayout(data)))
		if err := read(t, filepath.Join(dir, "manifest.json")); err != nil {
			t.Error(err)
		}
	})
	t.Run("data file missing", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "manifest.json")
		write(t, path, []byte(newLayout(data)))
		checkError(t, read(t, path), Error{Code: CodeUnreadable, File: path, Field: "files"})
	})
	t.Run("key leads out of the folder", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "manifest.json")
		write(t, path, []byte(strings.Replace(newLayout(data), dataKey, "../../etc/passwd", 1)))
		checkError(t, read(t, path), Error{Code: CodeInvalidContent, File: path, Field: "files[0].key"})
	})
}
