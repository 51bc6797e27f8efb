// SPDX-License-Identifier: Apache-2.0
using System.Collections;
using System.Text;
using UnityEngine;
using UnityEngine.Networking;

namespace Segue.Samples
{
    /// <summary>
    /// A match's music: asks the game's backend where it is and joins it, so that all players hear the same. It never holds more
    /// than that session's token. When the session is gone, the backend is asked again.
    /// </summary>
    [AddComponentMenu("Segue/Samples/Match Music")]
    public sealed class MatchMusic : MonoBehaviour
    {
        [Tooltip("The game's own backend: match_backend.py.")]
        [SerializeField] private string backend = "http://localhost:7480";
        [SerializeField] private string match = "lobby-1";

        private SoundtrackPlayer _music;
        private Coroutine _asking;
        private int _failures;
        private string _news = "";

        /// <summary>What plays it.</summary>
        public SoundtrackPlayer Music => _music;

        /// <summary>The match that was joined last.</summary>
        public string Match => match;

        /// <summary>The game's backend.</summary>
        public string Backend => backend.TrimEnd('/');

        /// <summary>Join a match's music; another one is left.</summary>
        public void Join(string name)
        {
            Leave();
            match = name;
            _failures = 0;
            _asking = StartCoroutine(Ask(0));
        }

        /// <summary>Hear nothing of the match any more. Its music goes on for the others.</summary>
        public void Leave()
        {
            if (_asking != null) StopCoroutine(_asking);
            _asking = null;
            _music.Stop();
        }

        private void Awake()
        {
            if (Camera.main == null) new GameObject("Listener").AddComponent<AudioListener>();
            gameObject.AddComponent<AudioSource>();
            _music = gameObject.AddComponent<SoundtrackPlayer>();
            // A second ahead rides out most networks, and costs nothing when the game wants a change.
            _music.LeadMs = 1000;
            _music.OnConnectionChanged += Changed;
        }

        private void Changed(ConnectionState state)
        {
            _news = state.ToString();
            // Broken streams and dead servers are the player's business. This is left: nobody knows the session any more.
            if (state == ConnectionState.Playing) _failures = 0;
            else if (state == ConnectionState.Failed && _asking == null) _asking = StartCoroutine(Ask(++_failures));
        }

        /// <summary>Ask until there is an answer; `tries` in vain so far.</summary>
        private IEnumerator Ask(int tries)
        {
            for (; ; tries++)
            {
                // At once, then after 0.5, 1, 2 … 8 s with jitter, so that players don't all come at the same time.
                if (tries > 0) yield return new WaitForSecondsRealtime(Mathf.Min(8f, 0.25f * (1 << Mathf.Min(tries, 5))) * Random.Range(0.5f, 1f));
                using (var request = UnityWebRequest.Get(Backend + "/match/" + UnityWebRequest.EscapeURL(match)))
                {
                    request.timeout = 15;
                    yield return request.SendWebRequest();
                    if (request.result == UnityWebRequest.Result.Success)
                    {
                        Listen(JsonUtility.FromJson<MatchPlace>(request.downloadHandler.text));
                        break;
                    }
                    _news = Refusal(request);
                    Debug.LogWarning("Match music: " + _news, this);
                    // A match that is over, or that we may not hear, stays so.
                    if (request.responseCode >= 400 && request.responseCode < 500) break;
                }
            }
            _asking = null;
        }

        private void Listen(MatchPlace place)
        {
            _music.Stop();
            _music.Connection = SegueConnectionSettings.At(place.address);
            _music.Attach(place.sessionId, place.sessionToken);
        }

        /// <summary>The backend's sentence, or what is known of why there was no answer.</summary>
        internal static string Refusal(UnityWebRequest request)
        {
            string text = request.downloadHandler?.text ?? "";
            return text.StartsWith("{", System.StringComparison.Ordinal) ? JsonUtility.FromJson<MatchError>(text).error : request.error;
        }

        /// <summary>A request with a body of JSON.</summary>
        internal static UnityWebRequest Sending(string method, string address, string json) => new UnityWebRequest(address, method)
        {
            uploadHandler = new UploadHandlerRaw(Encoding.UTF8.GetBytes(json)) { contentType = "application/json" },
            downloadHandler = new DownloadHandlerBuffer(),
            timeout = 15,
        };

        private void OnGUI()
        {
            GUILayout.BeginArea(new Rect(20f, 20f, 420f, 120f));
            GUILayout.BeginHorizontal();
            match = GUILayout.TextField(match);
            if (GUILayout.Button("join")) Join(match);
            if (GUILayout.Button("leave")) Leave();
            GUILayout.EndHorizontal();
            GUILayout.Label(_news + "    " + _music.MusicState);
            GUILayout.EndArea();
        }
    }

    /// <summary>What the backend answers.</summary>
    [System.Serializable]
    internal sealed class MatchPlace
    {
        public string match = "";
        public string address = "";
        public string sessionId = "";
        public string sessionToken = "";
    }

    /// <summary>What the backend says when it refuses.</summary>
    [System.Serializable]
    internal sealed class MatchError
    {
        public string error = "";
    }
}
